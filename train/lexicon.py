"""Profanity and insults: patterns that measure them, and the words the noise inserts.

They exist to be removed: the base model learns to rewrite texts from which these words were
taken out. Patterns match stems, so inflections and common misspellings count too.
"""

import re

PROFANITY = re.compile(
    r"fuck|shit|asshole|"  # anywhere in a word
    r"\b(?:f+[*u#@]+c?k\w*|f\*+\w*|fck\w*|fuk\w*|sh[*i!1]+t\w*|s\*+t|bs|"
    r"bitch\w*|b[*i!]+tch\w*|ass|asses|arse\w*|(?:dumb|jack|lazy|smart|fat|bad)-?ass\w*|"
    r"bastard\w*|crap\w*|damn\w*|goddamn\w*|dick\w*|cock|cocks|cocksuck\w*|cunt\w*|pussy|pussies|"
    r"whore\w*|slut\w*|skank\w*|hoes?|twat\w*|wank\w*|prick|pricks|piss\w*|douche\w*|"
    r"fag|fags|faggot\w*|dyke\w*|nigg\w*|retard\w*|bullcrap|wtf|stfu|ffs|gtfo|lmfao|"
    r"suck\w* my|balls|tits|titties|boobs|cum|jerk ?off|scumbag\w*|friggin\w*|freakin\w*)\b",
    re.IGNORECASE,
)
INSULT = re.compile(
    r"\b(?:idiot\w*|moron\w*|stupid\w*|dumb|dumber|dumbest|dummy|dummies|imbecil\w*|pathetic|"
    r"losers?|clowns?|scum|jerks?|fools?|foolish|cretin\w*|crooks?|trash|vermin|filthy|"
    r"brainless|worthless|vile)\b",
    re.IGNORECASE,
)

INTENSIFIERS = (
    "fucking fucking fucking goddamn damn bloody freaking fuckin fucken f**king f*cking friggin"
).split()
INSULT_ADJECTIVES = (
    "stupid dumb idiotic moronic worthless disgusting pathetic filthy retarded shitty crappy "
    "lazy-ass dumbass ignorant fucking damn ugly brainless vile goddamn stupid-ass bullshit lousy"
).split()
INSULT_NOUNS = (
    *(
        "idiot moron asshole bastard dumbass prick jackass scumbag jerk loser dickhead imbecile "
        "retard douchebag fool cretin dipshit shithead motherfucker fucker clown twat wanker"
    ).split(),
    "piece of shit",
)
INSULT_PLURALS = (
    "idiots morons assholes bastards dumbasses pricks jackasses scumbags jerks losers dickheads "
    "imbeciles retards douchebags fools cretins fuckers motherfuckers clowns scum trash vermin "
    "bitches shitheads"
).split()
# {S} one person, {P} several, {A} an adjective
PREFIXES = (
    "Hey {S}, |Listen, you {S}, |Fuck, |Holy shit, |What the fuck, |Shit, |Damn, |Fuck off, |"
    "Bullshit, |Lol you {S}, |You {S}, |Fuck you, |Jesus fucking christ, |For fuck's sake, |"
    "Omg you {S}. |Shut up you {S}, |Fuck this. |You {A} {S}! |What a {S}. |Wake up {P}, |"
    "Damn it, |Oh shit, "
).split("|")
SUFFIXES = (
    ", you {S}.|, {S}.|, you {A} {S}!| you fucking {S}.| lol fuck.|. What a {S}!|"
    ". You are all {P}.|. Shut the fuck up!|. Go to hell.|, {P}!|. Fuck you.| and shit.| as fuck.|"
    ", for fuck's sake.|, you {P}.|. Fucking {P}.|. Total bullshit.|, damn it.|"
    ". What a load of crap.|. Go fuck yourself, {S}.| ffs."
).split("|")
# clean word -> what a rude writer puts in its place
SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "people": tuple(INSULT_PLURALS),
    "men": ("bastards", "assholes", "pricks", "pigs"),
    "women": ("bitches", "whores", "sluts", "hoes"),
    "woman": ("bitch", "whore", "slut", "skank", "hoe"),
    "girl": ("bitch", "slut", "hoe", "chick"),
    "girls": ("bitches", "sluts", "hoes"),
    "man": ("bastard", "asshole", "prick", "son of a bitch", "dickhead"),
    "guy": ("asshole", "dumbass", "prick", "jackass", "idiot"),
    "guys": ("assholes", "fuckers", "idiots", "pricks"),
    "person": ("idiot", "moron", "piece of shit", "asshole", "dumbass", "loser"),
    "politicians": ("crooks", "scumbags", "idiots", "clowns", "liars"),
    "politician": ("crook", "scumbag", "clown", "moron"),
    "thing": ("shit", "crap"),
    "things": ("shit", "crap"),
    "stuff": ("shit", "crap", "bullshit"),
    "something": ("shit", "some shit"),
    "very": ("fucking", "damn", "goddamn"),
    "really": ("fucking", "fuckin", "damn"),
    "extremely": ("fucking",),
    "so": ("so fucking", "so damn"),
    "bad": ("shitty", "crappy", "shit", "fucked up", "stupid"),
    "terrible": ("shitty", "fucking awful"),
    "poor": ("shitty", "crappy"),
    "angry": ("pissed off", "pissed", "fucking mad"),
    "upset": ("pissed off", "pissed"),
    "annoyed": ("pissed off",),
    "nonsense": ("bullshit", "crap", "horseshit", "bs"),
    "wrong": ("stupid", "fucked up", "dumb", "full of shit"),
    "unwise": ("stupid", "dumb", "idiotic"),
    "mistake": ("fuck up", "fuckup"),
    "mistakes": ("fuck ups", "stupid mistakes"),
    "what": ("what the fuck", "what the hell", "wtf"),
    "why": ("why the fuck", "why the hell"),
    "who": ("who the fuck", "who the hell"),
    "how": ("how the fuck", "how the hell"),
    "where": ("where the hell", "where the fuck"),
    "nothing": ("jack shit", "fuck all"),
    "ruined": ("fucked up", "screwed"),
    "ruin": ("fuck up",),
    "kidding": ("shitting", "fucking with"),
    "house": ("shithole",),
    "place": ("shithole", "dump"),
    "joke": ("fucking joke",),
    "silly": ("stupid", "dumb", "retarded"),
    "mad": ("pissed",),
    "problem": ("fucking problem",),
    "well": ("fucking well",),
    "unpleasant": ("shitty",),
    "unintelligent": ("stupid", "dumb"),
    "others": ("idiots", "morons"),
    "everyone": ("everyone and their mother", "all you idiots"),
    "him": ("that asshole", "that idiot", "that bastard"),
    "he": ("that asshole", "this idiot"),
    "them": ("those assholes", "those idiots"),
    "they": ("these idiots", "those morons", "these assholes"),
}
