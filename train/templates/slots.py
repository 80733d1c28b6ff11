"""Words that fill the slots of the templates, and sentences around them that stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

WOMEN: tuple[str, ...] = (
    "Priya", "Aisha", "Sofia", "Linh", "Hannah", "Ingrid", "Grace", "Mei", "Leila", "Ana", "Nadia",
    "Fatima", "Rosa", "Chloe", "Ruth", "Yuki", "Esther", "Paula",
)  # fmt: skip
MEN: tuple[str, ...] = (
    "Tom", "Marek", "Kwame", "Carlos", "Yusuf", "Dmitri", "Omar", "Patrick", "Bruno", "Samuel",
    "George", "Oliver", "Victor", "Ibrahim", "Jack", "Hiro", "Peter", "Mateo",
)  # fmt: skip

SLOTS: Mapping[str, tuple[str, ...]] = {
    "place": (
        "library", "school", "pool", "park", "market", "clinic", "gym", "café", "church hall",
        "playground", "bus stop", "beach", "shop", "restaurant", "community centre", "bakery",
        "town hall", "hospital", "golf club", "youth club", "campsite", "cinema", "office",
    ),
    "shop": (
        "restaurant", "café", "bakery", "diner", "pizzeria", "canteen", "pub", "tea room",
        "coffee shop", "noodle bar", "food stall", "pancake house",
    ),
    "team": (
        "team", "committee", "night shift", "board", "choir", "research group", "jury", "crew",
        "debating club", "planning group", "football team", "project", "band", "front desk",
    ),
    "job": (
        "cashier", "teacher", "driver", "nurse", "plumber", "manager", "doctor", "lawyer",
        "mechanic", "cook", "receptionist", "coach", "guide", "baker", "librarian", "pilot",
        "gardener", "waiter", "builder", "dentist", "tutor", "carpenter", "director",
    ),
    "name": WOMEN + MEN,
    "day": (
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
        "Monday morning", "Friday evening", "the weekend", "the first of May", "New Year",
    ),
    "n": (
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "fifteen", "twenty", "thirty", "forty", "fifty",
    ),
    "town": (
        "Leeds", "Toledo", "Halifax", "Dayton", "Bristol", "Tampa", "Ottawa", "Cork", "Perth",
        "Boise", "Glasgow", "Austin", "Denver", "Omaha", "Cardiff", "Reno", "our town",
        "the village", "the north end", "the valley",
    ),
    "month": (
        "January", "February", "March", "April", "June", "July", "August", "September", "October",
        "November", "December",
    ),
}  # fmt: skip

# Neutral sentences before or after the claim. They come back word for word, which is the point.
BEFORE: tuple[str, ...] = (
    "The meeting starts at nine on {day}.",
    "I have lived in {town} for {n} years.",
    "{name} and I talked about this on {day}.",
    "We waited {n} minutes at the {place}.",
    "The {place} reopens in {month}.",
    "There was a letter from the {place} on {day}.",
    "I read the article about {town} twice.",
    "My neighbour works as a {job}.",
    "The {team} met again on {day}.",
    "The bus to {town} was late on {day}.",
    "I was at the {place} with {name} this morning.",
    "They closed the {place} in {month}.",
    "Ask {name} about the {place}.",
    "Rents in {town} went up again in {month}.",
    "We are looking for a new {job}.",
)
AFTER: tuple[str, ...] = (
    "The {team} votes on it on {day}.",
    "The {place} opens at nine.",
    "See you at the {place} on {day}.",
    "That was in {town}, in {month}.",
    "{name} said so too.",
    "Does the {place} open on {day}?",
    "I will be in {town} until {month}.",
    "The {job} is coming on {day}.",
    "We still need a {job} for {day}.",
    "The next meeting of the {team} is on {day}.",
    "Please send the form to {name} by {day}.",
    "There are {n} places left.",
    "It took {n} weeks to get an answer.",
    "I sent {name} the photos.",
    "The {place} has {n} chairs.",
)
