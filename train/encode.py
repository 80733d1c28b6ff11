"""Text examples turned into token examples, in the format that the chat template renders."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from train.examples import TextExample
from train.packing import TokenExample
from train.tokenizer import BOS_ID, EOS_ID, INST_CLOSE_ID, INST_OPEN_ID, encode_texts

N_FORMAT_TOKENS = 4  # <s> [INST] [/INST] </s>


def encode_examples(
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[TextExample],
    *,
    max_tokens: int,
    prompt_weight: float,
) -> list[TokenExample]:
    """`<s>[INST]prompt[/INST]completion</s>` of each example; longer ones are left out."""
    prompts = encode_texts(tokenizer, [example.prompt for example in examples])
    completions = encode_texts(tokenizer, [example.completion for example in examples])
    encoded: list[TokenExample] = []
    for example, prompt, completion in zip(examples, prompts, completions, strict=True):
        if len(prompt) + len(completion) + N_FORMAT_TOKENS > max_tokens:
            continue
        encoded.append(
            TokenExample(
                ids=(BOS_ID, INST_OPEN_ID, *prompt, INST_CLOSE_ID, *completion, EOS_ID),
                n_prompt=len(prompt) + 3,
                prompt_weight=prompt_weight if example.is_natural else 0.0,
            )
        )
    return encoded
