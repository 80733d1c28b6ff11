"""Neutral names of groups of people: never unsafe by themselves, never a phrase to forbid.

The embedded detector reads all names of one kind as one word, so that no group weighs more than
another. Slurs are not names and are not here.
"""

from __future__ import annotations

from collections.abc import Sequence


def words_of(table: str) -> list[str]:
    """The words of a table that is written as lines of text."""
    return table.split()


# Nouns for several people; adding "s" to most gives nothing new, so both forms are listed below.
_NOUNS = words_of(
    """
man woman boy girl gentleman lady guy male female husband wife father mother dad mum mom son
daughter brother sister grandfather grandmother grandpa grandma nephew niece uncle aunt
child kid baby teenager teen adolescent youth adult senior pensioner retiree elder boomer
millennial zoomer toddler
muslim christian catholic protestant evangelical mormon jew hindu buddhist sikh atheist
agnostic baptist methodist quaker pagan believer
immigrant migrant refugee foreigner expat newcomer
african american asian european arab indian pakistani mexican latino latina hispanic italian
german russian turk pole romanian ukrainian somali nigerian korean vietnamese filipino iranian
iraqi syrian afghan israeli palestinian greek spaniard brazilian cuban kurd
aboriginal australian canadian londoner roma gypsy traveller
lesbian gay homosexual bisexual transsexual transgender
feminist vegan vegetarian conservative liberal progressive republican democrat socialist
communist libertarian independent leftist tory
nurse doctor teacher engineer artist lawyer farmer plumber carpenter driver cleaner cashier
waiter waitress janitor housekeeper builder politician scientist programmer coder developer
accountant banker soldier veteran policeman policewoman cop officer journalist student
professor librarian mechanic electrician gamer musician athlete secretary receptionist
entrepreneur salesman barista chef cook artisan intern apprentice trucker
parent divorcee widow widower bachelor spouse
worker homemaker housewife tenant landlord villager townie commuter cyclist
amputee diabetic epileptic dwarf
"""
)
_IRREGULAR_PLURALS = words_of(
    """
men women gentlemen ladies wives children babies policemen policewomen salesmen housewives
youths elderly poor homeless disabled unemployed deaf roma chinese japanese vietnamese portuguese
jewish polish irish english british french dutch spanish
"""
)
_ADJECTIVES = words_of(
    """
muslim islamic christian catholic protestant evangelical jewish hindu buddhist sikh mormon
atheist african american asian european arab arabic indian pakistani mexican
latino latina latinx hispanic italian german russian turkish polish romanian ukrainian somali
nigerian korean vietnamese filipino chinese japanese irish english british french dutch spanish
iranian iraqi syrian afghan israeli palestinian greek brazilian cuban portuguese kurdish
gay lesbian bisexual homosexual heterosexual transgender trans queer nonbinary
lgbt lgbtq lgbtqia
disabled deaf autistic dyslexic bipolar schizophrenic neurodivergent diabetic
elderly unemployed homeless immigrant teenage vegan vegetarian feminist
female male
"""
)
# These are colours, opinions or circumstances unless a noun for people follows.
_ADJECTIVES_BEFORE_PEOPLE = words_of(
    """
black white brown old older young younger poor rich wealthy fat thin overweight
obese short tall blind straight native mixed liberal conservative progressive single married
divorced rural urban religious secular educated uneducated foreign migrant refugee
indigenous aboriginal independent
"""
)
_PEOPLE = words_of(
    """
people person persons folk folks men man women woman guys guy girls girl boys boy kids kid
children child students student families family community communities workers worker couples
couple individuals individual parents parent mothers mother fathers father lady ladies males
male females female teenagers teens voters citizens neighbours neighbors americans youth
"""
)

PLURAL, SINGULAR, ADJECTIVE = "_gp_", "_gs_", "_ga_"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


_KIND_BY_NAME: dict[str, str] = {
    **dict.fromkeys(_ADJECTIVES, ADJECTIVE),
    **dict.fromkeys([n for n in _NOUNS if n not in _ADJECTIVES], SINGULAR),
    **{_plural(noun): PLURAL for noun in _NOUNS},
    **dict.fromkeys([n for n in _IRREGULAR_PLURALS if n not in _ADJECTIVES], PLURAL),
}
for _word in ("poor", "independent", "conservative", "liberal", "progressive", "independents"):
    _KIND_BY_NAME.pop(_word, None)
_BEFORE_PEOPLE = frozenset(_ADJECTIVES_BEFORE_PEOPLE)
_PEOPLE_NOUNS = frozenset(_PEOPLE)


def group_kinds(words: Sequence[str]) -> list[str | None]:
    """For each lower-case word the kind of group name it is here, or None."""
    kinds: list[str | None] = [_KIND_BY_NAME.get(word) for word in words]
    for index in range(len(words) - 1):
        if (
            kinds[index] is None
            and words[index] in _BEFORE_PEOPLE
            and words[index + 1] in _PEOPLE_NOUNS
        ):
            kinds[index] = ADJECTIVE
    return kinds


def is_group_name(word: str) -> bool:
    """True for a word that names a group of people without judging it; any case."""
    lower = word.lower()
    return lower in _KIND_BY_NAME or lower in _BEFORE_PEOPLE or lower in _PEOPLE_NOUNS
