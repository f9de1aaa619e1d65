"""The file of models and its indexes."""

from __future__ import annotations

import hashlib

import pytest

from scriba.policy.models import Model, Models, build_models, models_file

HEAD = '[developers]\nmaker = "FR"\n[models]\n'


def line(name: str, rest: str = "") -> str:
    """Return one line of the file."""
    return f'"{name}" = {{developer = "maker", weights = "open"{rest}}}\n'


def test_every_name_leads_to_its_model_in_any_case() -> None:
    """Ids, aliases and the names at providers are all accepted."""
    built = build_models((HEAD + line("m-1", ', aliases = ["M-One"], served_by = {host="Maker/M1"}')).encode())
    assert set(built.by_name) == {"m-1", "m-one", "maker/m1"}
    assert {model.id for model in built.by_name.values()} == {"m-1"}
    assert built.models["m-1"].made_in == "FR"
    assert built.developers == {"maker"}


def test_the_hash_is_that_of_the_file(models: Models) -> None:
    """An auditor can hash the file and compare."""
    assert models.sha256 == hashlib.sha256(models_file()).hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        line("a") + line("b", ', aliases = ["A"]'),
        line("a", ', served_by = {x="n"}') + line("b", ', served_by = {x="N"}'),
        line("a", ", colour = 1"),
        line("a").replace("maker", "nobody"),
        line("a").replace("open", "ajar"),
    ],
)
def test_an_ambiguous_or_malformed_file_is_refused(body: str) -> None:
    """One name never means two models, and a slip in the data stops the start."""
    with pytest.raises(ValueError, match=r"."):
        build_models((HEAD + body).encode())


@pytest.mark.parametrize(
    ("model", "name", "trimmed"),
    [
        ("qwen3-8b", "Qwen/Qwen3-8B", False),
        ("qwen3-8b", "qwen/qwen3-8b-fp8", True),
        ("qwen3-8b", "Qwen/Qwen3-8B-Turbo", True),
        ("llama", "@cf/meta/llama-fp8-fast", True),
        ("gemini-2.5-flash-lite", "google/gemini-2.5-flash-lite", False),
        ("grok-code-fast-1", "grok-code-fast", False),
        ("m", "m:exacto", True),
        ("breakfast", "breakfast", False),
    ],
)
def test_a_quantised_or_trimmed_build_is_recognised(model: str, name: str, *, trimmed: bool) -> None:
    """It is another model, unless the mark belongs to the model itself."""
    assert Model(id=model, developer="d", weights="open", served_by={"p": name}).is_trimmed_at("p") is trimmed


def test_an_author_is_known_only_if_all_names_agree(models: Models) -> None:
    """`deepseek-ai/…` tells the maker, `perplexity/…` does not."""
    assert models.authors["deepseek-ai"] == "deepseek"
    assert models.authors["meta-llama"] == "meta"
    assert "perplexity" not in models.authors
