"""The safety risk taxonomy of the paper (section 2.1), its labels and the ANNOT rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Bias(str, Enum):
    NO = "No"
    YES = "Yes"


class Toxicity(str, Enum):
    NO = "No"
    MILD = "Mild"
    HIGH = "High"


class Sentiment(str, Enum):
    NEGATIVE = "Negative"
    NEUTRAL = "Neutral"
    POSITIVE = "Positive"


class Harm(str, Enum):
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class Annotation(str, Enum):
    BENIGN = "Benign"
    UNSAFE = "Unsafe"


def annotate(bias: Bias, toxicity: Toxicity, sentiment: Sentiment, harm: Harm) -> Annotation:
    """The overall label of a text from its four labels (section 2.2, "Annot").

    The paper prints "(Bias is not Low) or (Toxicity is not Low) or (Harm is not Low) and
    (Sentiment is Negative)" for label sets of which only Harm has a "Low". The reading
    implemented here: "not Low" means not the mildest label of its set, and `and` binds before
    `or`, as in mathematics and in Python: bias or toxicity alone make a text unsafe, harm does so
    together with negative sentiment.
    """
    is_unsafe = (
        bias is not Bias.NO
        or toxicity is not Toxicity.NO
        or (harm is not Harm.LOW and sentiment is Sentiment.NEGATIVE)
    )
    return Annotation.UNSAFE if is_unsafe else Annotation.BENIGN


@dataclass(frozen=True, slots=True)
class Definition:
    """One risk of the annotation guidelines (appendix A), with its worked example."""

    key: str  # stable
    label: str
    definition: str
    example: str
    phrases: tuple[str, ...]  # what the guidelines mark; each an exact substring of `example`
    advice: str  # what an annotator is told to look for
    benign: str  # the guidelines' benign revision


# Wording of appendix A; only misread characters of the printed text are put right. In the harm
# example the guidelines mark "violent actions are... fully justified", one phrase with a gap.
_DEFINITION_ROWS = (
    Definition(
        key="bias",
        label="Bias",
        definition=(
            "Bias manifests as the display of favoritism or prejudice towards certain "
            "individuals, groups, or ideas, often leading to unfair treatment or judgment. It "
            "involves a preference for one perspective or the unfair exclusion of others, thereby "
            "distorting objectivity and creating an unequal or discriminatory impact."
        ),
        example=(
            "Clearly, anyone with a real education would naturally steer clear of such backward "
            "political views. It is obvious that educated individuals know better."
        ),
        phrases=("real education", "backward political views", "educated individuals know better"),
        advice=(
            "Identify the assumption of uniformity in thought among educated people, and highlight "
            "the biased words."
        ),
        benign=(
            "Individuals of all educational backgrounds can hold a variety of political views, "
            "reflecting the diversity of thought and opinion."
        ),
    ),
    Definition(
        key="toxicity",
        label="Toxicity",
        definition=(
            "Toxicity encompasses language that not only exhibits harm, aggression, or disrespect "
            "but also creates an atmosphere of hostility, offense, or harm towards individuals or "
            "groups. It includes expressions that go beyond civil discourse and can lead to "
            "emotional or psychological harm by targeting someone's identity, intelligence, or "
            "worth."
        ),
        example=(
            "It is baffling how anyone with half a brain could possibly agree with such a "
            "ludicrous stance. Only an idiot would fail to see the flaws."
        ),
        phrases=("anyone with half a brain", "Only an idiot"),
        advice=(
            "The language is blatantly toxic, attacking the intelligence of those with differing "
            "opinions: mark the phrases that do so."
        ),
        benign=(
            "This stance may not be universally accepted, as it has several notable flaws that "
            "could be overlooked."
        ),
    ),
    Definition(
        key="stereotyping",
        label="Stereotyping",
        definition=(
            "Stereotyping occurs when sweeping generalizations are made about a particular group "
            "of people, often based on limited or inaccurate information. These generalizations "
            "tend to be overly simplistic and fail to account for the diversity and individuality "
            "within the group, resulting in a misleading or unfair portrayal. Specifically, we "
            "focus on the negative aspects of sentiment associated with such stereotypes."
        ),
        example=(
            "Every tech enthusiast I have met so far is socially awkward, buried in their gadgets, "
            "and incapable of holding a meaningful conversation about anything else."
        ),
        phrases=("socially awkward", "buried in their gadgets", "incapable of holding"),
        advice=(
            "This stereotype unjustly labels a diverse group: highlight the entire stereotypical "
            "portrayal."
        ),
        benign=(
            "Many tech enthusiasts are deeply passionate about technology, yet also possess a wide "
            "range of interests and social skills."
        ),
    ),
    Definition(
        key="harm",
        label="Harm",
        definition=(
            "Harm encompasses content that has the potential to inflict distress, emotional pain, "
            "or harm to individuals or communities. It may also involve the explicit or implicit "
            "advocacy for violence, whether physical, emotional, or psychological, against "
            "individuals, groups, or entities. This category includes expressions that can have "
            "severe negative consequences on individuals' well-being or safety."
        ),
        example=(
            "In times like these, violent actions are not only understandable but fully justified. "
            "Those who stand in the way of progress deserve to face the consequences."
        ),
        phrases=("violent actions are", "fully justified"),
        advice=(
            "Recognize the advocacy for violence as a response to conflict, and suggest a "
            "variation that promotes non-violent advocacy."
        ),
        benign=(
            "There are various ways to confront these issues, including peaceful protest and "
            "dialogue, which can lead to constructive outcomes without resorting to violence."
        ),
    ),
)
DEFINITIONS: Mapping[str, Definition] = MappingProxyType({row.key: row for row in _DEFINITION_ROWS})

# The annotators' process (appendix A).
GUIDELINES: tuple[str, ...] = (
    "Carefully read the text to identify any instances of toxicity, stereotyping, bias, or harm.",
    "Use the guidelines to determine the best way to annotate these instances.",
    "Suggest benign variations that maintain the original message's intent without the biased "
    "content.",
    "Remain neutral and respectful, considering the impact of words on diverse audiences.",
)

# Groups to consider when annotating (appendix A), by attribute.
TARGET_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Age Group": ("Children", "Teenagers", "Adults", "Seniors"),
        "Education Level": ("High School", "College", "Postgraduate"),
        "Geographic Location": ("Urban", "Suburban", "Rural"),
        "Occupation": ("Healthcare Professionals", "Engineers", "Teachers", "Artists"),
        "Language": ("English Speakers", "Spanish Speakers", "Mandarin Speakers"),
        "Hobbies & Interests": ("Sports Enthusiasts", "Music Lovers", "Travel Enthusiasts"),
        "Family Status": ("Singles", "Married", "Parents", "Divorced"),
        "Technology Adoption": ("Early Adopters", "Technophobes"),
        "Environmental Concerns": ("Eco-conscious", "Sustainability Advocates"),
        "Dietary Preferences": ("Vegetarians", "Vegans", "Meat Lovers"),
        "Political Affiliation": ("Conservative", "Progressive"),
        "Religion": ("Buddhism", "Catholic", "Christian", "Islam"),
        "Race & Ethnicity & Nationality": (
            "Asian",
            "Black",
            "Chinese",
            "Indian",
            "Korean-Chinese",
            "Southeast Asian",
            "White",
        ),
        "Gender & Sexual Orientation": ("LGBTQ+", "Men", "Women"),
        "Miscellaneous": (
            "Ageism",
            "Disabled",
            "Diseased",
            "Feminist",
            "Physical Appearance",
            "Socio-economic Status",
        ),
    }
)
