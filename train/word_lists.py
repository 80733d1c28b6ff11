"""Profanity and insults: what a rewrite should lose, and what noise may insert.

Ethnic, religious and sexual-orientation slurs are left out on purpose: nothing here needs to
generate them, and the risk heads learn them from data.
"""

from __future__ import annotations

import re

# Whole words, as a writer may insert them. Evaluation uses the patterns below, which also match
# inflections and masked spellings.
PROFANITY: tuple[str, ...] = (
    "arse", "arsehole", "ass", "asses", "asshat", "asshole", "assholes", "badass", "bastard",
    "bastards", "bitch", "bitches", "bitching", "bollocks", "bugger", "bullshit", "bullshitting",
    "bullshitter", "cock", "cocks", "cocksucker", "crap", "crappy", "cunt", "cunts", "damn",
    "damned", "damnit", "dammit", "dick", "dickhead", "dickheads", "dicks", "dipshit", "dipshits",
    "douche", "douchebag", "dumbass", "dumbasses", "fuck", "fucked", "fucken", "fucker",
    "fuckers", "fuckery", "fuckin", "fucking", "fucks", "fuckup", "goddamn", "goddamned", "hoe",
    "hoes", "horseshit", "jackass", "jackasses", "jerkoff", "motherfucker",
    "motherfuckers", "motherfucking", "piss", "pissed", "pisses", "pissing", "porn", "prick",
    "pricks", "pussies", "pussy", "shit", "shitbag", "shite", "shitface", "shithead", "shitheads",
    "shithole", "shits", "shitshow", "shitstain", "shitting", "shitty", "skank", "slut", "sluts",
    "slutty", "smartass", "tits", "titties", "twat", "twats", "wank", "wanker", "wankers",
    "whore", "whores", "wtf",
)  # fmt: skip

INSULTS: tuple[str, ...] = (
    "airhead", "bimbo", "blockhead", "bonehead", "bozo", "brainless", "braindead", "buffoon",
    "clown", "clowns", "cretin", "cretins", "degenerate", "dimwit", "dimwits", "dolt", 
    "dumb", "dumber", "dumbest", "dunce", "fool", "fools", "halfwit", "idiot",
    "idiotic", "idiots", "imbecile", "imbeciles", "imbecilic", "jerk", "jerks", "loser", "losers",
    "lowlife", "lowlifes", "lunatic", "lunatics", "maggot", "maggots", "moron", "moronic",
    "morons", "nitwit", "nitwits", "nutcase", "nutjob", "oaf", "parasite", "parasites",
    "pathetic", "psycho", "psychos", "retard", "retarded", "retards", "scum", "scumbag",
    "scumbags", "sicko", "simpleton", "sleazebag", "stupid", "stupidest", "stupidity",
    "stupidly", "subhuman", "trash", "vermin", "weirdo", "weirdos", "worthless",
)  # fmt: skip

# Stems may be followed by more letters; words may not. `[*@#$!.\-]` are the usual masks.
_PROFANE_STEMS = (
    r"(?:mother|dumb|cluster|mind)?-?fuck\w*",
    r"(?:mother)?f[*@#$!.\-_]{1,3}c?k\w*",
    r"f[*@#$!]{2,4}\w*",
    r"f+u+k+(?:in|ing|er|ed)?",
    r"f+c*k(?:in|ing|n|ed|er|s)",
    r"fck",
    r"effing",
    r"frigg?in[g']?",
    r"freakin[g']?",
    r"(?:bull|dip|horse|bat|ape|dog|chicken)?-?sh[i1!*@#]t"
    r"(?:s|t\w*|e|head\w*|hole\w*|show\w*|bag\w*|face\w*|stain\w*|load\w*)?",
    r"s[*@#]{1,3}t",
    r"(?:bull|horse|ape|bat)s\*\*\w*",
    r"bitch\w*",
    r"b[*@!1]tch\w*",
    r"biatch",
    r"cunt\w*",
    r"c[*@]nt\w*",
    r"asshole\w*",
    r"a[s$*]{2}(?:hole\w*|es|hat\w*|wipe\w*)?",
    r"(?:dumb|jack|smart|bad|fat|lazy|lame|half|hard|dick|sorry|stupid|weak|bitch)-?ass(?:es|ed)?",
    r"arse(?:hole\w*|s)?",
    r"bastard\w*",
    r"dick(?:s|head\w*|wad|ish)?",
    r"cock(?:s|sucker\w*|sucking)?",
    r"cum",
    r"pus(?:sy|sies)",
    r"pricks?",
    r"god-?dam\w*",
    r"damn(?:ed|it)?",
    r"dammit",
    r"pissed",
    r"piss(?:es|ing|y|er)?",
    r"crap(?:py|s|pier|piest)?",
    r"douche\w*",
    r"slut\w*",
    r"whor(?:e|es|ing|ish)",
    r"skanks?",
    r"hoes?",
    r"twats?",
    r"tit(?:s|ties)",
    r"wank\w*",
    r"bollocks",
    r"bugger\w*",
    r"porn",
    r"jerk(?:ing|ed)? ?off",
    r"wtf",
    r"stfu",
    r"lmfao",
    r"omfg",
    r"gtfo",
    r"ffs",
    r"(?:what|who|why|where|how|when) the hell",
    r"go to hell",
    r"suck my \w+",
)
_INSULT_STEMS = (
    r"idiot\w*",
    r"moron(?:s|ic)?",
    r"stupid\w*",
    r"dumb(?:er|est|o|os|ness|ing|ed|fuck\w*)?",
    r"imbecil\w*",
    r"cretin\w*",
    r"retard(?:s|ed)?",
    r"r[*@]t[*@]rd\w*",
    r"pathetic\w*",
    r"losers?",
    r"clowns?",
    r"scum\w*",
    r"trash",
    r"vermin",
    r"jerks?",
    r"fools?",
    r"dimwit\w*",
    r"halfwit\w*",
    r"half-wit\w*",
    r"nitwit\w*",
    r"dunces?",
    r"dolts?",
    r"oafs?",
    r"buffoon\w*",
    r"blockheads?",
    r"boneheads?",
    r"airheads?",
    r"bimbos?",
    r"bozos?",
    r"lunatics?",
    r"nut(?:job|case)s?",
    r"psychos?",
    r"weirdos?",
    r"sickos?",
    r"lowlifes?",
    r"low-lifes?",
    r"sleazebags?",
    r"parasites?",
    r"maggots?",
    r"worthless",
    r"subhumans?",
    r"degenerates?",
    r"brain-?(?:less|dead)",
    r"simpletons?",
)


def _whole_words(stems: tuple[str, ...]) -> re.Pattern[str]:
    # Not \b: a masked spelling may begin or end with a symbol.
    return re.compile(r"(?<![\w$@*])(?:" + "|".join(stems) + r")(?!\w)", re.IGNORECASE)


PROFANITY_PATTERN = _whole_words(_PROFANE_STEMS)
INSULT_PATTERN = _whole_words(_INSULT_STEMS)
