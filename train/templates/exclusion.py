"""Exclusion, implied stereotypes and sarcasm about ability: nothing rude is said, yet it excludes.

Slots: {gs} plural group, {one} one person of it; {place} {team} {job} {name} {day} from `slots.py`.
On the benign side {gs} and {one} are the respectful terms. `[...]` marks the phrases.
"""

from __future__ import annotations

from dataclasses import dataclass

from srllm.taxonomy import Harm, Toxicity


@dataclass(frozen=True, slots=True)
class Pattern:
    unsafe: str
    benign: str
    toxicity: Toxicity
    harm: Harm


def _patterns(
    toxicity: Toxicity, harm: Harm, pairs: tuple[tuple[str, str], ...]
) -> tuple[Pattern, ...]:
    return tuple(Pattern(unsafe, benign, toxicity, harm) for unsafe, benign in pairs)


EXCLUSION: tuple[Pattern, ...] = (
    *_patterns(
        Toxicity.NO,
        Harm.HIGH,
        (
            ("{Job} wanted. [{gs} need not apply.]", "{Job} wanted. All applicants are welcome."),
            ("Room to let near the {place}. [No {gs}.]", "Room to let near the {place}."),
            ("[No {gs}, please.] The flat is free from {day}.", "The flat is free from {day}."),
            (
                "The {place} [should be closed to {gs}].",
                "The {place} should be open to all, {gs} included.",
            ),
            ("[Keep {gs} out of] our {place}.", "Keep our {place} open to {gs}."),
            ("[We don't rent to {gs}.]", "We rent to anyone who can pay the rent."),
            (
                "We [don't serve {gs}] at the {shop} after eight.",
                "We serve everyone at the {shop} until closing time.",
            ),
            (
                "I would [never hire {one}] as a {job}.",
                "I would hire {one} as a {job} if they are qualified.",
            ),
            (
                "We need a new {job}, and [it can't be {one}].",
                "We need a new {job}, and anyone qualified may apply.",
            ),
            (
                "[Give the post to somebody normal, not to {one}.]",
                "Give the post to whoever is best qualified.",
            ),
            (
                "{gs} [should have their own {place}], away from ours.",
                "{gs} should be able to share our {place}.",
            ),
            (
                "Please seat us [away from {gs}] at the {shop} on {day}.",
                "Please find us a quiet table at the {shop} on {day}.",
            ),
        ),
    ),
    *_patterns(
        Toxicity.NO,
        Harm.MEDIUM,
        (
            (
                "Hiring {one} [would just slow the whole team down].",
                "Hiring {one} could add a lot to the team.",
            ),
            (
                "Having {one} on the {team} [would hold everyone back].",
                "Having {one} on the {team} could help everyone.",
            ),
            (
                "I don't want {one} [anywhere near] my kids' {place}.",
                "I'd like to know who works at my kids' {place}.",
            ),
            (
                "If {one} moves in next door, [we are selling the house].",
                "If {one} moves in next door, we will say hello.",
            ),
            (
                "[As soon as] {gs} moved in, [the street went downhill].",
                "When {gs} moved in, the street got new neighbours.",
            ),
            (
                "I moved my daughter to another class [because the teacher is {one}].",
                "I moved my daughter to another class because it is smaller.",
            ),
            (
                "Our new {job} is {one}, [so expect mistakes].",
                "Our new {job} starts on {day}.",
            ),
            (
                "[You can tell] the {team} is run by {one}.",
                "I'd like the {team} to be run better.",
            ),
            (
                "The {place} [used to be nice before] {gs} came.",
                "The {place} has changed since {gs} came.",
            ),
            (
                "Ever since {gs} joined, the {team} [has gone to the dogs].",
                "Since {gs} joined, the {team} has changed.",
            ),
            (
                "It's [not their fault, but] {gs} [just don't fit in] at the {place}.",
                "{gs} are welcome at the {place}.",
            ),
            (
                "I'm [not prejudiced, but] I'd [never] let my son date {one}.",
                "I'd be happy for my son to date whoever he likes.",
            ),
            (
                "[I have nothing against] {gs}, [as long as they stay away from] our {place}.",
                "I have nothing against {gs}, and they are welcome at our {place}.",
            ),
            (
                "{gs} are fine, [just not as] {job}s.",
                "{gs} are fine as {job}s.",
            ),
            (
                "[Nobody wants] {one} as their {job}.",
                "Many people would be glad to have {one} as their {job}.",
            ),
            (
                "I asked for another {job} [when I saw it was {one}].",
                "I asked the {job} a few questions before we began.",
            ),
            (
                "We had to [put up with] {one} on the {team}.",
                "We had {one} on the {team}.",
            ),
            (
                "The {team} took {one} [out of pity].",
                "The {team} took {one} after a good trial.",
            ),
            (
                "My sister married {one}, [and the family is ashamed].",
                "My sister married {one}, and the family is getting to know them.",
            ),
            (
                "The {shop} is full of {gs}, [so we went somewhere civilised].",
                "The {shop} was full, so we went somewhere else.",
            ),
            (
                "There were {gs} on the bus, [so I kept a hand on my wallet].",
                "There were {gs} on the bus, and it was a quiet ride.",
            ),
            (
                "[We all know why] the {shop} hired {one}.",
                "I'd like to know how the {shop} chose its new {job}.",
            ),
            (
                "[Count your change] when {one} is at the till.",
                "Count your change, whoever is at the till.",
            ),
        ),
    ),
    *_patterns(
        Toxicity.MILD,
        Harm.MEDIUM,
        (
            (
                "{name} speaks so well [for {one}].",
                "{name} speaks so well.",
            ),
            (
                "{name} is surprisingly clever [for {one}].",
                "{name} is clever.",
            ),
            (
                "[Not bad for {one}], {name}. The report is clear and on time.",
                "Well done, {name}. The report is clear and on time.",
            ),
            (
                "{One} as our {job}? [What could possibly go wrong.]",
                "{One} as our {job}? I wish them a good start.",
            ),
            (
                "Of course {name} got the post, [they needed {one} for the photo].",
                "{name} got the post, and I'd like to know how the choice was made.",
            ),
            (
                "[Congratulations to] {name}, [the quota hire of the year].",
                "Congratulations to {name} on the new post.",
            ),
            (
                "[Typical {gs},] late again on {day}, and the {job} had to wait.",
                "Late again on {day}, and the {job} had to wait.",
            ),
            (
                "[What did you expect from {gs}?] The {place} was a mess on {day}.",
                "The {place} was a mess on {day}.",
            ),
            (
                "Oh great, {one} [is going to explain it to us].",
                "{One} is going to explain it to us.",
            ),
            (
                "[Wow, {one} who can actually] do the job of a {job}.",
                "{One} is doing well in the job of a {job}.",
            ),
            (
                "{name} the {job} can't help it, [that's how {gs} are].",
                "{name} the {job} made a mistake, and we can talk about it.",
            ),
            (
                "The {team} lost on {day}. [That's what you get with {one} in charge.]",
                "The {team} lost on {day}.",
            ),
            (
                "My order from the {shop} was wrong again, [thanks to some {gs} in the kitchen].",
                "My order from the {shop} was wrong again.",
            ),
            (
                "The {job} was [one of those {gs}, so naturally] nothing was done by {day}.",
                "The {job} had nothing done by {day}.",
            ),
            (
                "[Don't worry your pretty little head about it], {name}, the {team} will decide.",
                "The {team} will decide, {name}, and we'd like your view.",
            ),
            (
                "[Did somebody write it for you], {name}? It's good.",
                "It's good, {name}.",
            ),
            (
                "A {job} [who is {one}], [now I've seen everything].",
                "A {job} who is {one}, welcome to the {team}.",
            ),
            (
                "[Someone should tell {gs}] that the {place} is [not for them].",
                "Someone should tell {gs} that the {place} is for everyone.",
            ),
        ),
    ),
)
