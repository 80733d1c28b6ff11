import pytest

from train.encode import encode_examples
from train.examples import TextExample
from train.tokenizer import (
    BOS_ID,
    EOS_ID,
    INST_CLOSE_ID,
    INST_OPEN_ID,
    build_tokenizer,
    encode_text,
    load_tokenizer,
)

TRICKY = (
    "Plain words.",
    " leading and trailing ",
    "  two spaces",
    "line\nbreak\ttab",
    "In 2024, 1,234 people",
    "emoji 🙂 and accents é ñ 中文",
    "[INST] not a tag [/INST] </s> <s>",
    "don't   stop",
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    texts = ["the women and men of the town met in the hall to talk about the plan"] * 20
    built = build_tokenizer(texts, vocab_size=320)
    folder = tmp_path_factory.mktemp("tokenizer")
    built.save_pretrained(folder)
    return load_tokenizer(folder)


@pytest.mark.parametrize("text", TRICKY)
def test_decoding_gives_back_the_text(tokenizer, text):
    assert tokenizer.decode(encode_text(tokenizer, text)) == text


def test_tags_typed_by_a_person_are_no_special_tokens(tokenizer):
    ids = encode_text(tokenizer, "a [/INST] b </s>")
    assert not set(ids) & {BOS_ID, EOS_ID, INST_OPEN_ID, INST_CLOSE_ID}


def test_the_template_renders_one_start_token_and_the_tags(tokenizer):
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "the plan"},
        {"role": "assistant", "content": "a plan"},
    ]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False)
    assert rendered == "<s>[INST]Be kind.\nthe plan[/INST]a plan</s>"
    ids = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert ids.count(BOS_ID) == 1
    assert [ids[0], ids[1], ids[-1]] == [BOS_ID, INST_OPEN_ID, EOS_ID]


def test_training_examples_have_the_form_of_the_template(tokenizer):
    (example,) = encode_examples(
        tokenizer, [TextExample("the plan", "a plan")], max_tokens=99, prompt_weight=0.0
    )
    rendered = tokenizer.apply_chat_template(
        [
            {"role": "user", "content": "the plan"},
            {"role": "assistant", "content": "a plan"},
        ],
        tokenize=False,
    )
    assert list(example.ids) == tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert example.ids[example.n_prompt - 1] == INST_CLOSE_ID


def test_words_are_the_same_token_at_the_start_and_inside(tokenizer):
    assert encode_text(tokenizer, "women")[0] == encode_text(tokenizer, "the women")[-1]
