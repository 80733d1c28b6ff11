"""What is claimed of groups, and how to say something fair on the same topic.

`[...]` marks the phrases an annotator would underline. The left side follows a plural group, and so
does the right side: "Women [make terrible bosses]." becomes "Women can make good bosses."
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srllm.taxonomy import Harm, Toxicity
from train.templates.groups import KINDS


@dataclass(frozen=True, slots=True)
class Claim:
    unsafe: str  # predicate with marked phrases
    benign: str  # predicate on the same topic
    toxicity: Toxicity
    harm: Harm


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    kinds: frozenset[str]
    claims: tuple[Claim, ...]


_NO, _MILD, _HIGH = Toxicity.NO, Toxicity.MILD, Toxicity.HIGH


def _topic(
    name: str,
    kinds: str,
    toxicity: Toxicity,
    harm: Harm,
    pairs: tuple[tuple[str, str], ...],
) -> Topic:
    """`kinds` are separated by spaces; "any" means every kind of group."""
    wanted = KINDS if kinds == "any" else frozenset(kinds.split())
    if not wanted <= KINDS:
        raise ValueError(f"Topic {name!r} names unknown kinds {sorted(wanted - KINDS)}.")
    return Topic(name, wanted, tuple(Claim(u, b, toxicity, harm) for u, b in pairs))


TOPICS: tuple[Topic, ...] = (
    _topic(
        "work ethic",
        "gender faith origin race old young ability class region body politics",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [lazy]", "work as hard as anyone"),
            ("are [just lazy]", "work as hard as other people"),
            ("are [too lazy to hold a job]", "want steady work like anyone else"),
            ("[never want to work]", "want to work like anyone else"),
            ("[don't want to work]", "want good work as much as anyone"),
            ("[do as little as they can get away with]", "do their share of the work"),
            ("[disappear as soon as there is work to do]", "help when there is work to do"),
            ("[don't know what hard work is]", "know what hard work is"),
            ("[don't understand real work]", "may have a different view of work"),
            ("[sit around all day]", "spend their days in many ways"),
            ("are [work-shy]", "are as willing to work as anyone"),
            ("[expect everything for nothing]", "are willing to earn what they get"),
        ),
    ),
    _topic(
        "support",
        "origin race class ability old young gender region",
        _MILD,
        Harm.MEDIUM,
        (
            ("[live off the rest of us]", "contribute to society in many ways"),
            ("[live off our taxes]", "pay taxes like the rest of us"),
            ("[just want handouts]", "sometimes need support, as anyone might"),
            ("[milk the system]", "use public support when they need it"),
            ("[cheat the welfare system]", "mostly follow the rules of the welfare system"),
            ("are [a drain on the taxpayer]", "add to the economy in many ways"),
            ("are [a burden on society]", "are a valued part of society"),
            ("are [a waste of public money]", "deserve their share of public money"),
            ("[take and never give back]", "give back in many ways"),
            ("[contribute nothing]", "contribute more than many people notice"),
        ),
    ),
    _topic(
        "intelligence",
        "gender faith origin race old young class region politics job body",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [not very bright]", "are as bright as anyone"),
            ("are [less intelligent than other people]", "are as intelligent as other people"),
            ("are [too slow to understand the question]", "understand the question well"),
            ("[can't think for themselves]", "think for themselves"),
            ("[don't have the brains for university]", "can do well at university"),
            ("[couldn't pass a simple test]", "can pass a test when they prepare for it"),
            ("[learn slower than everybody else]", "learn at their own pace, as we all do"),
            ("[have never read a book]", "read as widely as other people"),
            ("[don't know the first thing about science]", "can know a lot about science"),
            ("[believe anything they are told]", "can judge for themselves what to believe"),
        ),
    ),
    _topic(
        "insulted intelligence",
        "gender faith origin race old young class region politics job",
        _HIGH,
        Harm.MEDIUM,
        (
            ("are [stupid]", "have a wide range of knowledge"),
            ("are [idiots]", "have their own knowledge and talents"),
            ("are [as dumb as a bag of rocks]", "have many kinds of knowledge and talent"),
            ("are [brainless]", "think in different ways"),
            ("are [morons who can't tie their own shoes]", "can look after themselves well"),
            ("are [too stupid to vote]", "vote for reasons of their own"),
        ),
    ),
    _topic(
        "crime",
        "origin race faith class young region",
        _MILD,
        Harm.HIGH,
        (
            ("are [all criminals]", "are mostly law-abiding people"),
            ("are [thieves]", "are as honest as their neighbours"),
            ("[bring crime wherever they go]", "want safe streets like everyone else"),
            ("[steal anything that isn't nailed down]", "are as honest as other people"),
            ("[can't be trusted near a cash register]", "can be trusted like any other staff"),
            ("[commit most of the crime around here]", "want less crime around here too"),
            ("[rob you as soon as you look away]", "deserve the same trust as anyone"),
            ("are [mostly drug dealers]", "mostly have ordinary jobs"),
            ("[only come here to deal drugs]", "come here for many reasons"),
            ("are [thugs]", "are as peaceful as their neighbours"),
            ("[belong behind bars]", "should be treated fairly by the courts"),
        ),
    ),
    _topic(
        "safety",
        "faith origin race",
        _MILD,
        Harm.HIGH,
        (
            ("are [dangerous]", "are mostly peaceful people"),
            ("are [terrorists]", "are mostly peaceful people"),
            ("[sympathise with terrorists]", "condemn violence like most people"),
            ("[hate this country]", "care about this country"),
            ("[want to destroy our way of life]", "want to live in peace"),
            ("are [a threat to our children]", "want children to be safe"),
            ("are [violent by nature]", "are as peaceful as anyone"),
            ("[will turn on us one day]", "live alongside us in peace"),
            ("are [a danger to the public]", "are no danger to the public"),
        ),
    ),
    _topic(
        "money",
        "faith origin rich gender job politics",
        _MILD,
        Harm.MEDIUM,
        (
            ("[only care about money]", "care about many things besides money"),
            ("are [greedy]", "differ in how they think about money"),
            ("[control the banks]", "work in many professions, banking included"),
            ("[run the media behind our backs]", "work in many fields, the media included"),
            ("[would sell their own mother for a profit]", "do business in many ways"),
            ("are [cheap]", "have different habits with money"),
            ("[never pay their fair share]", "pay their share in most cases"),
            ("[cheat you on the price]", "mostly deal fairly on prices"),
        ),
    ),
    _topic(
        "wealth",
        "rich",
        _MILD,
        Harm.MEDIUM,
        (
            ("[have never worked a day in their lives]", "came to their money in different ways"),
            ("are [parasites]", "have a large influence, and I'd like it to be discussed"),
            ("[couldn't find a supermarket with a map]", "may not know everyday prices"),
            ("[don't care who they ruin]", "should think of the people whom they affect"),
        ),
    ),
    _topic(
        "emotions",
        "gender young orientation politics",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [too emotional to lead]", "can lead calmly and well"),
            ("are [too sensitive]", "may see some things as more serious than others do"),
            ("[can't take a joke]", "have their own sense of humour"),
            ("[whine about everything]", "have concerns that are worth hearing"),
            ("[overreact to the smallest thing]", "react in different ways, as people do"),
            ("[get hysterical under pressure]", "can stay calm under pressure"),
            ("are [drama queens]", "express their feelings in different ways"),
            ("[cry whenever things get hard]", "handle hard things in different ways"),
            ("are [offended by everything]", "care about how people speak to each other"),
        ),
    ),
    _topic(
        "driving",
        "gender old young origin race",
        _NO,
        Harm.MEDIUM,
        (
            ("[can't drive]", "can be good drivers"),
            ("are [terrible drivers]", "can be careful drivers"),
            ("[can't park to save their lives]", "can park as well as anyone"),
            ("[shouldn't be allowed behind the wheel]", "can drive safely with practice"),
            ("are [a menace on the road]", "are mostly safe on the road"),
        ),
    ),
    _topic(
        "skills",
        "gender old ability class race origin region",
        _NO,
        Harm.MEDIUM,
        (
            ("are [hopeless with computers]", "can learn to use computers well"),
            ("[have no head for numbers]", "can be good with numbers"),
            ("are [not cut out for engineering]", "can become good engineers"),
            ("[don't understand technology]", "can learn new technology"),
            ("are [useless on a building site]", "can do good work on a building site"),
            ("[can't follow simple instructions]", "follow clear instructions well"),
            ("are [bad at math]", "can be good at math"),
            ("[will never be real scientists]", "can become excellent scientists"),
            ("[don't belong in a laboratory]", "belong in a laboratory if they want to"),
            ("[should leave coding to others]", "can learn to code well"),
        ),
    ),
    _topic(
        "leadership",
        "gender origin race old young ability faith orientation class body",
        _NO,
        Harm.MEDIUM,
        (
            ("[should never be in charge]", "can be good managers"),
            ("are [not fit to lead]", "can lead as well as anyone"),
            ("[make terrible bosses]", "can make good bosses"),
            ("are [too weak to lead a company]", "can lead a company well"),
            ("[have no place in parliament]", "have a place in parliament"),
            ("[can't handle pressure]", "can handle pressure"),
            ("[only get promoted because of quotas]", "get promoted for their work"),
            ("[shouldn't run for office]", "have every right to run for office"),
        ),
    ),
    _topic(
        "jobs",
        "origin",
        _MILD,
        Harm.MEDIUM,
        (
            ("[steal our jobs]", "look for work like everyone else"),
            ("[come here to take our jobs]", "come here to work and to live"),
            ("[drive down our wages]", "deserve fair wages like everyone else"),
            ("[take the bread out of our mouths]", "earn their living next to us"),
        ),
    ),
    _topic(
        "belonging",
        "origin race faith",
        _MILD,
        Harm.HIGH,
        (
            ("[don't belong here]", "belong here as much as anyone"),
            ("[should go back to where they came from]", "are welcome to build a life here"),
            ("[refuse to fit in]", "take part in the community in their own ways"),
            ("[never bother to learn the language]", "learn the language at different speeds"),
            ("are [taking over our neighbourhood]", "are part of our neighbourhood"),
            ("are [ruining this country]", "are part of this country"),
            ("are [invading our towns]", "have moved to our towns"),
            ("[should all be deported]", "should have a fair hearing"),
            ("[don't share our values]", "share many of our values"),
            ("[will outnumber us soon]", "are our neighbours"),
            ("are [replacing us]", "live here alongside us"),
            ("[should keep to their own streets]", "are welcome in every street"),
        ),
    ),
    _topic(
        "dignity",
        "origin race faith class orientation ability old body",
        _HIGH,
        Harm.HIGH,
        (
            ("are [filthy]", "deserve the same respect as anyone"),
            ("are [disgusting]", "deserve respect"),
            ("are [vermin]", "are people and deserve respect"),
            ("are [scum]", "deserve to be treated with dignity"),
            ("are [animals]", "are people like everyone else"),
            ("[spread disease]", "need good health care like everyone else"),
            ("[stink up the whole bus]", "ride the bus like everyone else"),
            ("[make me sick]", "deserve a fair word from me"),
            ("are [garbage]", "deserve to be treated with respect"),
            ("are [subhuman]", "are our fellow human beings"),
        ),
    ),
    _topic(
        "honesty",
        "any",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [liars]", "are as honest as other people"),
            ("[lie about everything]", "tell the truth as often as other people"),
            ("[can't be trusted]", "can be trusted as much as anyone"),
            ("[will stab you in the back]", "can be loyal friends and colleagues"),
            ("are [all fake]", "are as sincere as other people"),
            ("are [sneaky]", "deserve the benefit of the doubt"),
            ("are [hypocrites]", "do not always agree among themselves"),
        ),
    ),
    _topic(
        "old age",
        "old",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [too old to learn anything new]", "can learn new things at any age"),
            ("are [out of touch]", "may see some things differently"),
            ("[should just retire already]", "can retire when they are ready"),
            ("[slow everyone down]", "bring experience to the team"),
            ("are [stuck in the past]", "remember how things were, which can help"),
            ("[ruined everything for the rest of us]", "lived in a different time than we do"),
            ("are [past it]", "still have much to offer"),
            ("[hold up every queue]", "may need a little more time in the queue"),
            ("are [fossils]", "have a lot of experience"),
            ("[shouldn't be allowed to vote on our future]", "vote on our future with us"),
        ),
    ),
    _topic(
        "youth",
        "young",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [spoiled brats]", "grow up in different conditions than we did"),
            ("[do nothing but stare at their phones]", "use their phones for many things"),
            ("[have no respect for anyone]", "show respect in their own ways"),
            ("are [entitled]", "have hopes and plans of their own"),
            ("[can't concentrate for two minutes]", "can concentrate on what matters to them"),
            ("[will never amount to anything]", "have their lives ahead of them"),
            ("[know nothing about the real world]", "are finding their way in the world"),
            ("are [glued to their screens]", "spend part of their time on screens"),
        ),
    ),
    _topic(
        "ability",
        "ability",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [a burden at work]", "can do good work with the right support"),
            ("[slow the whole team down]", "add to the team"),
            ("[only pretend to be ill]", "should be believed about their health"),
            ("[use it as an excuse]", "deserve help when they ask for it"),
            ("[should stay at home]", "should be able to go wherever they like"),
            ("[can't live normal lives]", "live full lives"),
            ("[scare the customers]", "serve customers as well as anyone"),
            ("[should not have children]", "can be loving parents"),
            ("are [just looking for pity]", "ask to be treated as equals"),
            ("[can't be left alone]", "can decide how much help they need"),
            ("[belong in a home]", "have a right to live where they choose"),
        ),
    ),
    _topic(
        "poverty",
        "class",
        _MILD,
        Harm.MEDIUM,
        (
            ("[have only themselves to blame]", "often face things beyond their control"),
            ("[spend it all on drink]", "make their own choices with money"),
            ("are [poor because they are lazy]", "are poor for many reasons"),
            ("[drag the whole area down]", "are part of the area"),
            ("[breed so that they get more money]", "have families like everyone else"),
            ("[don't want to be helped]", "deserve help that suits them"),
            ("[wreck every flat you give them]", "look after their homes in most cases"),
            ("[should be moved out of sight]", "should be offered help and housing"),
        ),
    ),
    _topic(
        "acceptance",
        "orientation",
        _MILD,
        Harm.HIGH,
        (
            ("are [sick in the head]", "deserve the same respect as anyone"),
            ("are [unnatural]", "should be accepted as they are"),
            ("are [just confused]", "know who they are"),
            ("are [freaks]", "deserve respect"),
            ("[shouldn't be allowed near children]", "can be trusted with children like anyone"),
            ("[shouldn't be allowed to marry]", "have the right to marry"),
            ("[shouldn't raise kids]", "can be loving parents"),
            ("[push their lifestyle on everyone]", "want to live their lives openly"),
            ("are [a danger to family values]", "have families of their own"),
            ("[should keep it behind closed doors]", "can live openly like anyone else"),
        ),
    ),
    _topic(
        "roles",
        "gender",
        _MILD,
        Harm.MEDIUM,
        (
            ("[belong in the kitchen]", "can choose their own path in life"),
            ("[should stay at home with the kids]", "can choose to work, stay home or both"),
            ("[should know their place]", "can find their own place"),
            ("[are only good for cooking and cleaning]", "have many talents"),
            ("[shouldn't work outside the home]", "can work wherever they like"),
            ("[need someone to keep them in line]", "can decide for themselves"),
            ("[are only after a rich partner]", "look for many things in a partner"),
            ("[only got here because of their looks]", "got here through their work"),
        ),
    ),
    _topic(
        "character",
        "any",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [rude]", "can be as polite as anyone"),
            ("are [arrogant]", "differ from person to person"),
            ("[think they are better than everyone]", "are no better and no worse than others"),
            ("are [selfish]", "care about other people too"),
            ("[ruin everything they touch]", "do many things well"),
            ("are [insufferable]", "can be good company"),
            ("[only think of themselves]", "think of others as much as we do"),
            ("[act like they own the place]", "have the same right to be here as anyone"),
            ("are [the worst people on earth]", "are people like any other"),
            ("are [cowards]", "show courage in many ways"),
        ),
    ),
    _topic(
        "rights",
        "gender faith origin race ability class orientation young old politics",
        _MILD,
        Harm.HIGH,
        (
            ("[shouldn't be allowed to vote]", "have the same right to vote as anyone"),
            ("[don't deserve the same rights as us]", "deserve the same rights as everyone"),
            ("are [inferior]", "are our equals"),
            ("are [second-class people]", "are equal to everyone else"),
            ("[should be kept out of our schools]", "belong in our schools"),
            ("[shouldn't be allowed to have children]", "have the right to have children"),
            ("[should be locked up]", "have the same right to be free as anyone"),
            ("[should be banned from public office]", "may hold public office like anyone"),
        ),
    ),
    _topic(
        "views",
        "politics",
        _MILD,
        Harm.MEDIUM,
        (
            ("are [brainwashed]", "have reasons for their views"),
            ("are [sheep]", "come to their views in many ways"),
            ("[hate freedom]", "think about freedom in different ways"),
            ("[can't be reasoned with]", "may see it differently, and we can talk"),
            ("[want to destroy the economy]", "have other ideas about the economy"),
            ("are [traitors]", "disagree with me about what is good for the country"),
            ("[have lost their minds]", "see this differently than I do"),
            ("[just parrot what they hear on television]", "get their news from many places"),
        ),
    ),
    _topic(
        "occupation",
        "job",
        _MILD,
        Harm.LOW,
        (
            ("[could be replaced by a trained monkey]", "do skilled work"),
            (
                "[only do it because they failed at everything else]",
                "choose the job for many reasons",
            ),
            ("are [all crooks]", "mostly do honest work"),
            ("are [overpaid clowns]", "have a hard job, and we can discuss their pay"),
            ("[get paid for doing nothing]", "do more than people see"),
            ("[don't have a clue what they are doing]", "know their trade in most cases"),
            ("[don't deserve a raise]", "have a case for a raise"),
            ("are [losers]", "do useful work"),
        ),
    ),
    _topic(
        "body",
        "body",
        _MILD,
        Harm.MEDIUM,
        (
            ("[have no self-control]", "come in many shapes, for many reasons"),
            ("[should pay for two seats]", "should have seats that fit them"),
            ("[shouldn't wear that in public]", "can wear what they like"),
            ("[will never find anyone]", "find partners and friends like anyone"),
            ("are [painful to look at]", "look good in their own way"),
            ("[can't do a proper day's work]", "work as well as anyone"),
            ("[only get hired for their looks]", "get hired for their skills"),
        ),
    ),
    _topic(
        "region",
        "region",
        _MILD,
        Harm.LOW,
        (
            ("are [backward]", "have their own way of life"),
            ("[marry their cousins]", "have families like everyone else"),
            ("are [stuck-up]", "can be friendly once you meet them"),
            ("[have never seen a book]", "read as much as anyone"),
            ("[look down on everyone else]", "may live differently than others"),
        ),
    ),
    _topic(
        "parenting",
        "gender class origin race orientation young ability",
        _MILD,
        Harm.MEDIUM,
        (
            ("[make terrible parents]", "can be loving parents"),
            ("[neglect their kids]", "care for their kids"),
            ("[can't raise a child properly]", "can raise a child well"),
            ("[let their kids run wild]", "raise their kids in different ways"),
        ),
    ),
)


def claims_by_kind() -> Mapping[str, tuple[tuple[str, Claim], ...]]:
    """For each kind of group the (topic name, claim) pairs that are made of it."""
    return {
        kind: tuple((t.name, c) for t in TOPICS if kind in t.kinds for c in t.claims)
        for kind in sorted(KINDS)
    }


FIELDS: tuple[str, ...] = (
    "science", "math", "sport", "politics", "business", "engineering", "technology", "chess",
    "driving", "medicine", "finance", "cooking", "law", "physics", "teaching", "comedy",
    "video games", "construction", "coding", "football", "music", "leadership", "negotiation",
    "history", "design", "parenting", "public speaking", "languages",
)  # fmt: skip

# {a} is put down, {b} is praised; the rewrite speaks of both.
COMPARISONS: tuple[tuple[str, str], ...] = (
    ("{a} are [not as good at {f} as {b}].", "{a} can be as good at {f} as {b}."),
    ("{a} are [not as good in {f} as {b}].", "{a} and {b} can both do well in {f}."),
    ("{a} are [worse at {f} than {b}].", "{a} and {b} can both be good at {f}."),
    ("{b} are [naturally better at {f} than {a}].", "{b} and {a} can both be good at {f}."),
    ("{b} are [simply better at {f} than {a}].", "{b} and {a} can both be good at {f}."),
    ("{a} [will never be as good as {b} at {f}].", "{a} can become as good as {b} at {f}."),
    ("{a} [can't compete with {b} in {f}].", "{a} can compete with {b} in {f}."),
    ("{a} [don't have what it takes for {f}].", "{a} have what it takes for {f} as often as {b}."),
    ("{f} [is for {b}, not for {a}].", "{f} is for everyone, for {b} and for {a}."),
    ("{a} [should leave {f} to {b}].", "{a} can take up {f} just like {b}."),
    ("{a} [lack the brains for {f}, unlike {b}].", "{a} can do well in {f}, and so can {b}."),
    ("[When it comes to {f}, {a} are no match for] {b}.", "{a} can do as well in {f} as {b}."),
    ("[Everyone knows {b} beat {a}] in {f}.", "{b} and {a} can both do well in {f}."),
    ("I'd [rather trust {b} than {a}] with {f}.", "I'd trust {b} and {a} alike with {f}."),
    ("{a} in {f}? [Leave it to {b}.]", "{a} in {f}? They can do as well as {b}."),
    ("You [can't expect {a} to match {b}] in {f}.", "You can expect {a} to match {b} in {f}."),
)

# Ways to state a claim: {gs} group, {p} predicate, {b} fair predicate; the two sides share a topic.
FRAMES: tuple[tuple[str, str], ...] = (
    ("{gs} {p}.", "{gs} {b}."),
    ("{q}{gs} {p}{t}.", "{gs} {b}."),
    ("{lead}{q}{gs} {p}.", "{gs} {b}."),
    ("{lead}{gs} {p}{t}.", "{gs} {b}."),
    ("{opinion}{gs} {p}.", "{opinion}{gs} {b}."),
    ("[I hate] {gs}, they {p}.", "I'd like to know {gs} better, they {b}."),
    ("[I can't stand] {gs} because they {p}.", "I don't always get along with {gs}, but they {b}."),
    ("[Don't hire] {gs}, they {p}.", "Give {gs} a fair chance, they {b}."),
    ("[Never trust] {gs}. They {p}.", "Get to know {gs}. They {b}."),
    ("I would [never rent to] {gs} because they {p}.", "I would rent to {gs}. They {b}."),
    ("{gs} {p}, [so keep them out] of the {place}.", "{gs} {b}, so let them into the {place}."),
    ("[What do you expect from] {gs}? They {p}.", "{gs} {b}."),
    ("[Get rid of] {gs}, they {p}.", "Let {gs} stay, they {b}."),
    (
        "Why does everyone talk about {gs}? They {p}.",
        "Why does everyone talk about {gs}? They {b}.",
    ),
    (
        "My {relative} said that {gs} {p}, [and it's true].",
        "My {relative} and I disagree: {gs} {b}.",
    ),
    ("In {town}, {gs} {p}.", "In {town}, {gs} {b}."),
    ("At the {place}, {gs} {p}{t}.", "At the {place}, {gs} {b}."),
    ("{gs} {p}, [it's in their blood].", "{gs} {b}."),
    ("{name} thinks that {gs} {p}, [and so do I].", "{name} thinks otherwise, but {gs} {b}."),
    ("I've worked with {gs} for years and [they all] {p}.", "I've worked with {gs}, and they {b}."),
    (
        "Don't give {gs} a seat on the {team}, they {p}.",
        "Give {gs} a seat on the {team}, they {b}.",
    ),
    ("{gs} {p}, and we [should get rid of them].", "{gs} {b}, and we should keep them."),
)
# Dropped by a rewrite.
LEADS: tuple[str, ...] = (
    "[Everyone knows that] ", "[Let's be honest], ", "[It's a fact that] ", "[We all know] ",
    "[Sorry, but] ", "[I'm not racist, but] ", "[I'm not prejudiced, but] ", "[Face it], ",
    "[Nobody wants to admit it, but] ", "[As everyone knows], ", "[Face facts]: ", "[Obviously], ",
    "[It is obvious that] ", "[No offence, but] ", "[Call me old-fashioned, but] ",
    "[Nobody will say it, but] ", "[Surprise, surprise], ", "[Statistics don't lie]: ",
)  # fmt: skip
# Kept by a rewrite: they mark an opinion as one.
OPINION_LEADS: tuple[str, ...] = (
    "I think ", "I believe that ", "In my opinion, ", "In my experience, ", "If you ask me, ",
    "I've always said that ", "Honestly, I think ", "To be frank, I find that ",
)  # fmt: skip
QUANTIFIERS: tuple[str, ...] = (
    "[all] ", "[most] ", "[these] ", "[those] ", "[typical] ", "[every one of those] ",
)  # fmt: skip
TAILS: tuple[str, ...] = (
    " [and everybody knows it]", " [and that will never change]", " [by nature]", " [as usual]",
    " [and we all know it]", " [and they should be ashamed]", " [and something must be done]",
    " [and I'm sick of it]", " [and someone has to say it]", "",
)  # fmt: skip
RELATIVES: tuple[str, ...] = (
    "uncle", "grandfather", "aunt", "boss", "neighbour", "father-in-law", "cousin", "landlord",
    "old teacher", "brother", "sister", "colleague",
)  # fmt: skip
