"""Insults, threats and profane opinions, with the criticism that remains without them.

Slots beside those of `slots.py`: {insult} {insults} {adjective} {curse} {oath}; {who} did {deed},
{he} or {him}; {i} is an issue and {why} a complaint about it, {policy} one that is decided by vote;
{act} is something that "you" do. "a" becomes "an" where the filled word needs it. `[...]` marks the
phrases.
"""

from __future__ import annotations

from collections.abc import Mapping

# The words themselves; a rewrite never needs one of them.
WORDS: Mapping[str, tuple[str, ...]] = {
    "insult": (
        "idiot", "moron", "asshole", "bastard", "dumbass", "prick", "jackass", "scumbag", "jerk",
        "loser", "dickhead", "imbecile", "douchebag", "fool", "cretin", "piece of shit", "dipshit",
        "shithead", "motherfucker", "fucker", "clown", "twat", "wanker", "nitwit", "halfwit",
        "lowlife", "buffoon", "waste of space",
    ),
    "insults": (
        "idiots", "morons", "assholes", "bastards", "dumbasses", "pricks", "jackasses", "scumbags",
        "jerks", "losers", "dickheads", "imbeciles", "douchebags", "fools", "cretins", "fuckers",
        "motherfuckers", "clowns", "shitheads", "nitwits", "halfwits", "lowlifes", "buffoons",
    ),
    "adjective": (
        "stupid", "dumb", "idiotic", "moronic", "pathetic", "brainless", "braindead", "worthless",
        "useless", "disgusting", "shitty", "crappy", "ridiculous", "fucking stupid",
        "goddamn awful",
    ),
    "curse": (
        "fucking", "fucking", "goddamn", "damn", "bloody", "shitty", "crappy", "fuckin", "freaking",
        "stupid", "stupid fucking", "f**king",
    ),
    "oath": (
        "Fuck", "Holy shit", "Shit", "Damn it", "For fuck's sake", "What the fuck", "Bullshit",
        "Goddamn it", "Oh for fuck's sake", "Jesus fucking Christ", "What the hell",
    ),
}  # fmt: skip

# One person who did something.
PERSONS: tuple[str, ...] = (
    "the mayor", "my boss", "my neighbor", "the senator", "the referee", "the coach",
    "the new manager", "the teacher", "our landlord", "the driver", "the governor", "the judge",
    "the reporter", "the author", "the minister", "the doctor", "my roommate", "the cashier",
    "the plumber", "the president", "the principal", "my cousin", "the waiter", "the host",
    "that councillor", "the director", "the dentist", "the mechanic", "our supervisor",
    "the treasurer", "the builder", "the coordinator", "the receptionist",
)  # fmt: skip
DEEDS: tuple[str, ...] = (
    "forgot our order twice",
    "changed the date without telling anyone",
    "never answers the phone",
    "cancelled the meeting on {day}",
    "raised the rent again in {month}",
    "lost the keys to the {place}",
    "did not read the report",
    "broke the promise about the {place}",
    "was {n} minutes late on {day}",
    "ignored every question about the budget",
    "sent the invoice to the wrong address",
    "parked in front of the {place} again",
    "blames everyone else for the delay",
    "closed the {place} without a reason",
    "voted against the new {place}",
    "left the {team} without a plan",
    "spent the whole budget on one trip",
    "got the figures for {month} wrong",
    "talks over everybody in meetings",
    "has not paid the {job} yet",
    "made us wait until {day}",
    "made the wrong call in the last minute",
    "charged us twice for the same repair",
    "never listens to the {job}",
)

# {who} and {deed}: the criticism stays, the insult goes.
PERSON_INSULTS: tuple[tuple[str, str], ...] = (
    ("{who} [is a {insult}] and {deed}.", "{who} {deed}."),
    ("{who}, [that {insult}], {deed}.", "{who} {deed}."),
    ("{who} [is a total {insult}]. {He} {deed}.", "I'm not happy with {who}. {He} {deed}."),
    ("{who} {deed}. [What a {insult}.]", "{who} {deed}. That was wrong."),
    ("{who} {deed}, [the {adjective} {insult}].", "{who} {deed}."),
    ("[What kind of {insult}] {deed}? {who} did.", "{who} {deed}."),
    ("{who} {deed} [like the {insult} {he} is].", "{who} {deed}."),
    ("{who} is [so {adjective}]: {he} {deed}.", "{who} {deed}, and I think that was a mistake."),
    ("{who} [is too {adjective} for the job] and {deed}.", "{who} {deed}, which is poor work."),
    ("[Only a {insult} like] {who} [would do that]: {he} {deed}.", "{who} {deed}."),
    ("{who} [is the biggest {insult} I know].", "I do not think well of {who}."),
    ("{who} [is a {insult}].", "I do not agree with {who}."),
    ("{who} [is a {insult} who should be fired].", "I think {who} should be replaced."),
    ("{who} [is a lying {insult}].", "I do not believe {who}."),
    ("{who} [doesn't know shit] about the {place}.", "{who} does not know much about the {place}."),
    ("{who} {deed}, [fuck {him}].", "{who} {deed}, and I'm angry about it."),
)

# Things people have opinions on: (noun phrase, a fair complaint about it in the same grammar).
ISSUES: tuple[tuple[str, str], ...] = (
    ("the plan", "it costs too much"),
    ("the new law", "it helps nobody in {town}"),
    ("this movie", "it is an hour too long"),
    ("the budget", "it leaves nothing for the {place}"),
    ("this article", "it gets the dates wrong"),
    ("your argument", "it leaves out the costs"),
    ("the proposal", "it was written without the {job}"),
    ("the decision", "it was made in one evening"),
    ("this song", "it sounds like the last one"),
    ("the game", "it crashed {n} times"),
    ("the new phone", "the battery is empty by noon"),
    ("this product", "it broke after {n} days"),
    ("the service", "we waited {n} minutes"),
    ("this book", "the ending makes no sense"),
    ("the update", "it deleted my settings"),
    ("this website", "it loses my order every time"),
    ("the speech", "it said nothing about {town}"),
    ("the timetable", "there is no bus after six"),
    ("the new rule", "it punishes the wrong people"),
    ("the food here", "it was cold on {day}"),
    ("the contract", "it runs for {n} years"),
    ("the report", "it does not mention {month}"),
    ("the tax on parking", "it hurts small shops"),
    ("the school policy", "nobody asked the parents"),
    ("the bike lane", "it ends in the middle of the road"),
    ("the interview", "it lasted {n} minutes"),
    ("this recipe", "it needs twice the time it says"),
    ("the election coverage", "it left out half the candidates"),
    ("the redesign", "the buttons are too small"),
    ("the training", "it taught us nothing new"),
)
POLICIES: tuple[str, ...] = (
    "the plan",
    "the new law",
    "the budget",
    "the proposal",
    "the new rule",
    "the tax on parking",
    "the school policy",
    "the bike lane",
    "the stadium",
    "the road through {town}",
    "the wind farm",
    "the new timetable",
    "the rent cap",
    "the hostel in {town}",
    "the closure of the {place}",
)
OPINIONS: tuple[tuple[str, str], ...] = (
    ("{i} is [stupid and only {insults} like it].", "I think {i} is not a good one."),
    ("{i} is [{adjective}], {why}.", "I don't like {i}, {why}."),
    ("{i} is [complete bullshit], {why}.", "I'm unhappy with {i}, {why}."),
    ("{i} is [a piece of shit], {why}.", "{i} is bad, {why}."),
    ("{i} is [total garbage], {why}.", "{i} is poor, {why}."),
    ("{i} [fucking sucks], {why}.", "{i} is not good, {why}."),
    ("{i} is [a fucking joke], {why}.", "I can't take {i} seriously, {why}."),
    ("[Fuck] {i}, {why}.", "I'm not in favour of {i}, {why}."),
    ("[Screw] {i}, {why}.", "I'm done with {i}, {why}."),
    ("[What a load of crap] {i} is, {why}.", "{i} is not good, {why}."),
    ("I hate {i}, {why}, [and the {insults} behind it can go to hell].", "I dislike {i}, {why}."),
    ("[Only a {insult} would defend] {i}, {why}.", "I would not defend {i}, {why}."),
    ("[You have to be a {insult} to like] {i}, {why}.", "I can't see why people like {i}, {why}."),
    (
        "[Anyone with half a brain] can see that {i} is bad, {why}.",
        "I think that {i} is bad, {why}.",
    ),
    (
        "Whoever came up with {i} [is a {insult}], {why}.",
        "I disagree with whoever came up with {i}, {why}.",
    ),
    ("{i} was made by [{insults}], {why}.", "{i} was not made with care, {why}."),
    ("I don't give a [shit] about {i}.", "I don't care about {i}."),
    ("Nobody gives a [fuck] about {i}.", "Nobody cares about {i}."),
    ("I'm so [fucking] tired of {i}.", "I'm so tired of {i}."),
    ("They [fucked up] {i}, {why}.", "They spoiled {i}, {why}."),
    ("{i} [pisses me off], {why}.", "{i} makes me angry, {why}."),
    ("I'm [pissed off] about {i}, {why}.", "I'm angry about {i}, {why}."),
    ("I [fucking] love {i}.", "I love {i}."),
    ("{i} is [fucking] great.", "{i} is great."),
    (
        "{i} is the best [damn] thing I have seen in {month}.",
        "{i} is the best thing I have seen in {month}.",
    ),
    ("[What the fuck] is {i} about?", "What is {i} about?"),
    ("Why do [these {insults}] like {i}?", "Why do these people like {i}?"),
    (
        "[The {insults}] who wrote about {i} did no research.",
        "The people who wrote about {i} did no research.",
    ),
    ("[Those {insults}] ruined {i}.", "Those people spoiled {i}."),
    ("{i} is not just bad, [it is {adjective}], {why}.", "{i} is bad, {why}."),
)

# Said to the reader. Where something is asked or stated, it stays.
TO_YOU: tuple[tuple[str, str], ...] = (
    ("You [are a {insult}].", "I do not agree with you."),
    ("[You {adjective} {insult}], you got the date wrong.", "You got the date wrong."),
    ("You're wrong about {i}, [you {insult}].", "You're wrong about {i}."),
    ("[Are you stupid?] The {place} is closed on {day}.", "The {place} is closed on {day}."),
    ("[Shut up, you {insult}.]", "Please stop talking."),
    ("[Shut the fuck up] about {i}.", "Please stop talking about {i}."),
    ("[Go to hell], I'm not paying for {i}.", "I'm not paying for {i}."),
    ("[Fuck off] and leave the {place} to us.", "Please leave the {place} to us."),
    ("[Fuck you], I waited {n} hours for {i}.", "I'm upset, I waited {n} hours for {i}."),
    ("[Learn to read, {insult}], it says {day}.", "Please read it again, it says {day}."),
    ("[Use your brain], {name}, it opens on {day}.", "Please check, {name}, it opens on {day}."),
    ("[Only a {insult}] would miss that, {name}.", "Please take another look, {name}."),
    ("Your opinion on {i} is [garbage].", "I don't share your opinion on {i}."),
    ("[Nobody cares what you think], {name}.", "I don't share your view, {name}."),
    ("[You make me sick], {name}.", "I'm unhappy with you, {name}."),
    ("[Nobody likes you], {name}.", "We don't always get along, {name}."),
    ("You're [a liar and a fraud], {name}.", "I don't believe you, {name}."),
    ("[Grow up, you {insult}], and give {name} the keys.", "Please give {name} the keys."),
    (
        "[Move your ass], {name}, the bus leaves at six.",
        "Please hurry, {name}, the bus leaves at six.",
    ),
    ("[Stop being such a {insult}] and answer {name}.", "Please answer {name}."),
    ("[What the hell is wrong with you], {name}?", "What is the matter, {name}?"),
    (
        "[Are you fucking kidding me?] It is {n} dollars for {i}.",
        "Are you serious? It is {n} dollars for {i}.",
    ),
    ("You [will never amount to anything], {name}.", "You can do better with some effort, {name}."),
    ("[Get lost], {name}, this seat is taken.", "Sorry, {name}, this seat is taken."),
    (
        "[Get your shit together], {name}, we start on {day}.",
        "Please get ready, {name}, we start on {day}.",
    ),
    (
        "You [useless {insult}], the {team} needed that by {day}.",
        "The {team} needed that by {day}.",
    ),
    (
        "[You're all {insults}] on the {team}, and the plan is bad.",
        "I disagree with the {team}, and the plan is bad.",
    ),
    ("[Go back to school, {insult}], {i} is not about that.", "{i} is not about that."),
    (
        "You and your friends on the {team} are [a bunch of {insults}].",
        "I don't agree with you and your friends on the {team}.",
    ),
)

# Threats and wishes of harm. {act} is something "you" do, {did} something "they" did.
ACTS: tuple[str, ...] = (
    "park across my drive again",
    "touch my bike again",
    "call me again",
    "write about {town} again",
    "show up at the {place}",
    "vote for {policy}",
    "talk to {name} again",
    "let your dog into the {place} again",
    "play that song once more",
    "close the {place}",
    "open that {place} in {town}",
    "cut the budget of the {place}",
    "send me another bill",
    "block the road to the {place} again",
)
THREATS: tuple[tuple[str, str], ...] = (
    ("If you {act}, [I will break your legs].", "If you {act}, I will complain."),
    ("If you {act}, [I'll find out where you live].", "If you {act}, I will report it."),
    ("If you {act}, [you will regret it].", "If you {act}, we will have to talk."),
    ("If you {act}, [I'm coming for you].", "If you {act}, I'll raise it with the {team}."),
    ("If you {act}, [I will burn your house down].", "If you {act}, I will call the police."),
    (
        "If you {act}, [you won't live to see {day}].",
        "If you {act}, I will write a complaint by {day}.",
    ),
    ("Don't {act}, [or I will hurt you].", "Please don't {act}."),
    ("Don't {act}, [or somebody will get hurt].", "Please don't {act}."),
    ("[Whoever tells {who} gets a bullet.]", "Please don't tell {who} yet."),
    ("[Someone should shoot] {who}.", "Someone should talk to {who}."),
    ("[Someone should teach] {who} [a lesson with a bat].", "Someone should speak to {who}."),
    ("[I will kill] {who}.", "I am very angry with {who}."),
    ("[I'm going to beat the shit out of] {who}.", "I'm going to complain about {who}."),
    ("[I want to strangle] {who}.", "I am furious with {who}."),
    ("[I hope {who} gets hit by a bus].", "I am angry with {who}."),
    ("[I hope {who} dies] before {month}.", "I hope {who} leaves the post before {month}."),
    ("{who} {deed}. [I hope they choke.]", "{who} {deed}. I'm angry about it."),
    (
        "{who} {deed}. [Somebody ought to break their fingers.]",
        "{who} {deed}. Somebody ought to complain.",
    ),
    ("{who} {deed} and [deserves a beating].", "{who} {deed} and should explain why."),
    ("{who} {deed} and [should be hanged for it].", "{who} {deed} and should answer for it."),
    (
        "Let's [smash the windows of] the {place} on {day}.",
        "Let's protest in front of the {place} on {day}.",
    ),
    ("[Burn down] the {place} before {month}.", "Save the {place} before {month}."),
    (
        "[Let's storm] the {place} and [drag] {who} [out].",
        "Let's go to the {place} and ask {who} to listen.",
    ),
    (
        "[Watch your back], {name}, I know which bus you take.",
        "{name}, I'd like to talk to you about this.",
    ),
    (
        "[One dark night] the {team} [will get what is coming to them].",
        "The {team} should hear from us.",
    ),
    (
        "The people who planned {policy} [should be dragged out of the office].",
        "The people who planned {policy} should explain it.",
    ),
    (
        "The people who voted for {policy} [deserve to suffer].",
        "The people who voted for {policy} should think again.",
    ),
    (
        "[Violence is the only way left] to stop {policy}.",
        "Peaceful protest is one way left to stop {policy}.",
    ),
    ("[Hit first] when {who} comes to the {place}.", "Stay calm when {who} comes to the {place}."),
)
GROUP_THREATS: tuple[tuple[str, str], ...] = (
    ("[Somebody should run over] {gs}.", "Somebody should speak up for {gs}."),
    ("{gs} [should all be shot].", "{gs} have a right to live in safety."),
    ("{gs} [deserve a good beating].", "{gs} deserve to be safe."),
    (
        "If I see {gs} at the {place}, [I will hit them].",
        "If I see {gs} at the {place}, I will say hello.",
    ),
    ("[Drive {gs} out of] {town} before {month}.", "Make {gs} feel at home in {town}."),
    ("{gs} in {town} [should watch their backs].", "{gs} in {town} should feel safe."),
    ("[Round up {gs}] and [lock them away].", "Treat {gs} fairly and by the law."),
    ("[Let {gs} drown], there are enough of them.", "Help {gs} who are in danger."),
    ("[Teach your kids to hit] {gs} first.", "Teach your kids to get along with {gs}."),
    (
        "One more house for {gs} in {town} and [people will take matters into their own hands].",
        "Before there is one more house for {gs} in {town}, people want to be heard.",
    ),
    ("[Set the dogs on] {gs} at the {place}.", "Leave {gs} at the {place} in peace."),
    (
        "[Nobody would miss] {gs} [if they vanished overnight].",
        "Many people would miss {gs} if they left.",
    ),
)

# {x} is where the curse stands; without it the sentence is the rewrite.
CURSED: tuple[str, ...] = (
    "The {x} printer at the {place} broke again.",
    "I waited {n} {x} hours at the {place}.",
    "Where is the {x} bus to {town}?",
    "My {x} landlord has not fixed the heating since {month}.",
    "This is the best {x} soup in {town}.",
    "We lost the {x} match on {day}.",
    "Turn off the {x} alarm.",
    "Nobody told me about the {x} meeting on {day}.",
    "The {x} lift at the {place} is out of order.",
    "I left my {x} keys at the {place}.",
    "It is too {x} hot in the {place}.",
    "My {x} train was {n} minutes late.",
    "I need a {x} coffee before the {team} meets.",
    "The {x} app logged me out again.",
    "Happy {x} birthday, {name}!",
    "Read the {x} instructions, {name}.",
    "That was a {x} good speech, {name}.",
    "I can't find the {x} form for the {place}.",
    "Who ate my {x} lunch?",
    "The {x} neighbours played music all night on {day}.",
    "They want {n} {x} dollars for a ticket.",
    "I have to work on {x} {day} again.",
    "Take your {x} shoes off at the door.",
    "The {x} government has not answered our letter since {month}.",
    "Give me back my {x} umbrella, {name}.",
    "The {x} rain ruined our trip to {town}.",
    "Our {x} internet has been down since {day}.",
    "The {x} council closed the {place}.",
)
# {o} is an oath before, {s} a sentence that stays.
OATHS: tuple[tuple[str, str], ...] = (
    ("[{oath}], {low}", "{s}"),
    ("[{oath}.] {s}", "{s}"),
    ("{s} [{oath}.]", "{s}"),
    ("{s} [Fuck this.]", "{s}"),
    ("{s} [What a load of shit.]", "{s}"),
)
