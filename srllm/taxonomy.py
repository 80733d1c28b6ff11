"""The safety risk taxonomy of the paper (section 2.1), its labels and the ANNOT rule."""

from enum import Enum


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
