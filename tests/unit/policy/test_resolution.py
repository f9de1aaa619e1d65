"""From a model string to a provider: every form, the traps, and who else may serve the same model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.engine import DecisionPoint
from scriba.policy.names import Resolution
from scriba.policy.resolution import MAX_MODEL_BYTES

MakePoint = Callable[..., DecisionPoint]

CONFIGURED = ("openai", "anthropic", "groq", "cerebras", "openrouter", "bedrock")
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0"
FIREWORKS = "accounts/fireworks/models/llama-v3p3-70b-instruct"


@pytest.fixture
def resolve(make_point: MakePoint) -> Callable[..., Resolution]:
    """Return the resolution of a string where the usual providers are configured."""
    resolver = make_point(*CONFIGURED).resolver

    def call(model: str, pinned: str = "") -> Resolution:
        return resolver.resolve(model, pinned)

    return call


@pytest.mark.parametrize(
    ("asked", "provider", "upstream", "canonical"),
    [
        # bare names
        ("gpt-4o", "openai", "gpt-4o", "gpt-4o"),
        ("GPT-4O", "openai", "gpt-4o", "gpt-4o"),
        ("claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4-20250514"),
        ("deepseek-chat", "deepseek", "deepseek-chat", "deepseek-chat"),
        ("claude-2.1", "anthropic", "claude-2.1", ""),
        ("o1", "openai", "o1", ""),
        ("nova-pro", "bedrock", "amazon.nova-pro-v1:0", "nova-pro"),
        ("phi-4", "openrouter", "microsoft/phi-4", "phi-4"),
        # drifts in spelling, and dated names, which are kept
        ("claude-sonnet-4.5", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("claude-4-sonnet", "anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4-20250514"),
        ("claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        # provider/model and provider:model
        ("openai/gpt-4o", "openai", "gpt-4o", "gpt-4o"),
        ("openai:gpt-4o", "openai", "gpt-4o", "gpt-4o"),
        ("anthropic/claude-4.5-haiku", "anthropic", "claude-haiku-4-5", "claude-haiku-4.5"),
        ("groq/llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile", "llama-3.3-70b-instruct"),
        ("groq/brand-new", "groq", "brand-new", ""),
        ("groq:brand-new", "groq", "brand-new", ""),
        ("vertex_ai/claude-sonnet-4", "vertex", "claude-sonnet-4@20250514", "claude-sonnet-4-20250514"),
        ("alibaba/qwen-3-32b", "alibaba", "qwen3-32b", "qwen3-32b"),
        ("gemini/gemini-9", "google", "gemini-9", ""),
        ("sandbox/echo", "sandbox", "sandbox/echo", "sandbox/echo"),
        # author/model: not the author
        ("openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b", "gpt-oss-120b"),
        ("OpenAI/GPT-OSS-120B", "groq", "openai/gpt-oss-120b", "gpt-oss-120b"),
        ("qwen/qwen3-32b", "groq", "qwen/qwen3-32b", "qwen3-32b"),
        (
            "meta-llama/Llama-3.3-70B-Instruct",
            "openrouter",
            "meta-llama/llama-3.3-70b-instruct",
            "llama-3.3-70b-instruct",
        ),
        ("x-ai/grok-4.3", "openrouter", "x-ai/grok-4.3", "grok-4.3"),
        ("nvidia/nemotron-3-nano-30b-a3b", "nvidia", "nvidia/nemotron-3-nano-30b-a3b", "nemotron-3-nano-30b-a3b"),
        # provider/author/model
        ("openrouter/anthropic/claude-sonnet-4", "openrouter", "anthropic/claude-sonnet-4", "claude-sonnet-4-20250514"),
        ("groq/openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b", "gpt-oss-120b"),
        ("openrouter/auto", "openrouter", "auto", ""),
        ("perplexity/kimi-k2.7-code", "perplexity", "perplexity/kimi-k2.7-code", "kimi-k2.7-code"),
        # forms that name their provider
        (ARN, "bedrock", ARN, "claude-opus-4.5"),
        ("us.anthropic.claude-sonnet-4-6", "bedrock", "us.anthropic.claude-sonnet-4-6", "claude-sonnet-4.6"),
        ("anthropic.claude-9-v1:0", "bedrock", "anthropic.claude-9-v1:0", ""),
        ("claude-sonnet-4@20250514", "vertex", "claude-sonnet-4@20250514", "claude-sonnet-4-20250514"),
        ("meta/llama-3.3-70b-instruct-maas", "vertex", "meta/llama-3.3-70b-instruct-maas", "llama-3.3-70b-instruct"),
        (
            "publishers/google/models/gemini-2.5-pro",
            "vertex",
            "publishers/google/models/gemini-2.5-pro",
            "gemini-2.5-pro",
        ),
        ("models/gemini-2.5-pro", "google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("azure/my-gpt4o-prod", "azure", "my-gpt4o-prod", ""),
        ("azure/gpt-4o", "azure", "gpt-4o", ""),
        ("databricks-gpt-5", "databricks", "databricks-gpt-5", "gpt-5"),
        (FIREWORKS, "fireworks", FIREWORKS, "llama-3.3-70b-instruct"),
        ("@cf/openai/gpt-oss-20b", "cloudflare", "@cf/openai/gpt-oss-20b", "gpt-oss-20b"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "openai", "ft:gpt-4o-mini-2024-07-18:org::id", ""),
        # suffixes
        ("deepseek/deepseek-r1:free", "openrouter", "deepseek/deepseek-r1:free", "deepseek-r1"),
        ("openai/gpt-oss-120b:groq", "huggingface", "openai/gpt-oss-120b:groq", "gpt-oss-120b"),
        ("huggingface/openai/gpt-oss-120b:groq", "huggingface", "openai/gpt-oss-120b:groq", "gpt-oss-120b"),
        ("openai/gpt-oss-120b:fastest", "huggingface", "openai/gpt-oss-120b:fastest", "gpt-oss-120b"),
        ("groq/next:free", "groq", "next:free", ""),
        ("groq/openai/gpt-oss-120b:free", "groq", "openai/gpt-oss-120b:free", "gpt-oss-120b"),
        # open weights without an API of their maker: who lists the very name, else the first who serves the model
        ("llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile", "llama-3.3-70b-instruct"),
        ("llama-3.3-70b-instruct", "groq", "llama-3.3-70b-versatile", "llama-3.3-70b-instruct"),
        ("gpt-oss-120b", "cerebras", "gpt-oss-120b", "gpt-oss-120b"),
        # moving aliases
        ("claude-opus-latest", "anthropic", "claude-opus-latest", ""),
    ],
)
def test_a_form_leads_to_its_provider(
    resolve: Callable[..., Resolution], asked: str, provider: str, upstream: str, canonical: str
) -> None:
    """Each form stands for one provider and one name there, and the asked string is kept."""
    found = resolve(asked)
    assert (found.provider, found.upstream_model, found.canonical_model) == (provider, upstream, canonical)
    assert found.model == asked


@pytest.mark.parametrize(
    "asked",
    [
        "",
        " ",
        "/",
        ":",
        "//",
        "nonsense",
        "openai/",
        "/gpt-4o",
        "openai/gpt-oss-240b",
        "google/unheard-of",
        "foo/bar",
        "a:b",
    ],
)
def test_what_no_rule_resolves_stays_unresolved(resolve: Callable[..., Resolution], asked: str) -> None:
    """There is no default provider: a guess would put a wrong one into the record."""
    assert resolve(asked) == Resolution(model=asked)


def test_a_known_model_that_nobody_here_serves_is_named(make_point: MakePoint) -> None:
    """The canonical id stands in the entry, though no provider can."""
    found = make_point().resolver.resolve("openai/gpt-oss-120b", "")
    assert found == Resolution(model="openai/gpt-oss-120b", canonical_model="gpt-oss-120b")


def test_open_weights_fall_to_their_maker_if_nobody_else_is_configured(make_point: MakePoint) -> None:
    """So that a refusal can name the provider that the file knows."""
    assert make_point().resolver.resolve("qwen3-32b", "").provider == "alibaba"
    assert make_point("cerebras").resolver.resolve("qwen3-32b", "").provider == "cerebras"


def test_an_author_is_never_taken_for_a_provider(make_point: MakePoint) -> None:
    """`deepseek-ai/…` is how model hubs name it: it does not ask for DeepSeek's own API."""
    assert make_point().resolver.resolve("deepseek-ai/DeepSeek-V3.2", "").provider == ""
    assert make_point("together", "sambanova").resolver.resolve("deepseek-ai/DeepSeek-V3.2", "").provider == "sambanova"


def test_the_operators_order_decides_among_providers(make_point: MakePoint) -> None:
    """The first configured provider that lists the name is taken."""
    for order in (("groq", "together"), ("together", "groq")):
        assert make_point(*order).resolver.resolve("openai/gpt-oss-120b", "").provider == order[0]


def test_an_ollama_tag_needs_ollama(make_point: MakePoint) -> None:
    """With it the whole string is the name, without it nobody is guessed."""
    asked = "llama3.3:70b-instruct-q4_K_M"
    assert make_point("ollama").resolver.resolve(asked, "").provider == "ollama"
    assert make_point("ollama").resolver.resolve(asked, "").upstream_model == asked
    assert make_point("ollama").resolver.resolve("mistral:latest", "").provider == "ollama"
    assert not make_point("openai").resolver.resolve(asked, "").provider


def test_the_operators_route_comes_first(make_point: MakePoint) -> None:
    """A name of the operator's own wins over every form, in any case, and says what the model is."""
    route = ModelRoute(name="gpt-4o", upstream="prod-gpt", canonical="GPT-4o")
    point = make_point("openai", ConfiguredProvider(id="azure", models=(route,)))
    for asked in ("gpt-4o", "GPT-4O", "azure/gpt-4o"):
        found = point.resolver.resolve(asked, "")
        assert (found.provider, found.upstream_model, found.canonical_model) == ("azure", "prod-gpt", "gpt-4o")
        assert (found.creator, found.creator_established) == ("openai", True)


def test_a_route_without_canonical_id_says_nothing_about_the_model(make_point: MakePoint) -> None:
    """The creator is then only likely."""
    one = ConfiguredProvider(id="azure", models=(ModelRoute(name="best", upstream="gpt-4o-prod"),))
    found = make_point(one).resolver.resolve("best", "")
    assert (found.provider, found.canonical_model) == ("azure", "")
    assert (found.creator, found.creator_established) == ("openai", False)


@pytest.mark.parametrize(
    ("asked", "pinned", "provider", "upstream"),
    [
        ("claude-sonnet-4.5", "bedrock", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4.5", "AWS", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("groq/openai/gpt-oss-120b", "groq", "groq", "openai/gpt-oss-120b"),
        ("openai/gpt-oss-120b", "together", "together", "openai/gpt-oss-120b"),
        ("anything", "vllm", "vllm", "anything"),
        ("gpt-4o", "nobody", "", ""),
        ("", "openai", "", ""),
    ],
)
def test_a_pinned_provider_decides(
    resolve: Callable[..., Resolution], asked: str, pinned: str, provider: str, upstream: str
) -> None:
    """A provider named outside the string is taken, with the model's name there; an unknown one is not guessed."""
    found = resolve(asked, pinned)
    assert (found.provider, found.upstream_model) == (provider, upstream)


def test_a_router_told_where_to_go_names_the_upstream(resolve: Callable[..., Resolution]) -> None:
    """Only then can the upstream be judged."""
    assert resolve("openai/gpt-oss-120b:groq").upstream_provider == "groq"
    assert resolve("openai/gpt-oss-120b:cheapest").upstream_provider == ""
    assert resolve("openrouter/openai/gpt-4o").upstream_provider == ""
    assert resolve("openrouter/openai/gpt-4o:groq").upstream_provider == ""


def test_an_arn_of_china_is_an_endpoint_in_china(resolve: Callable[..., Resolution]) -> None:
    """The string itself says where the data goes."""
    assert resolve("arn:aws-cn:bedrock:cn-north-1:1:inference-profile/x").china_endpoint
    assert not resolve(ARN).china_endpoint


@pytest.mark.parametrize(
    ("asked", "creator", "established"),
    [
        ("gpt-4o", "openai", True),
        ("gpt-99", "openai", True),
        ("groq/openai/gpt-oss-120b", "openai", True),
        ("ft:gpt-4o:o::i", "openai", True),
        ("nova-pro", "amazon", True),
        ("us.qwen.qwen9-v1:0", "alibaba", False),
        ("openrouter/deepseek/next", "deepseek", False),
        ("openrouter/meta-llama/next", "meta", False),
        ("azure/gpt-4o", "openai", False),
        ("vllm/claude-sonnet-4-5", "anthropic", False),
        ("azure/ft:x", "", False),
        ("groq/next", "", False),
    ],
)
def test_the_creator_is_known_or_likely(
    resolve: Callable[..., Resolution], asked: str, creator: str, *, established: bool
) -> None:
    """Where the customer chooses the names, the name proves nothing."""
    found = resolve(asked)
    assert (found.creator, found.creator_established) == (creator, established)


def offers(point: DecisionPoint, asked: str) -> list[tuple[str, str]]:
    """Return who else serves a model, and its name there."""
    resolution = point.resolver.resolve(asked, "")
    return [(offer.provider.id, offer.resolution.upstream_model) for offer in point.resolver.offers(resolution)]


def test_the_same_model_is_offered_in_the_operators_order(make_point: MakePoint) -> None:
    """Whoever serves the same weights can stand in."""
    expected = [("cerebras", "gpt-oss-120b"), ("bedrock", "openai.gpt-oss-120b")]
    assert offers(make_point("groq", "cerebras", "bedrock"), "groq/openai/gpt-oss-120b") == expected
    assert offers(make_point("bedrock", "groq", "cerebras"), "groq/openai/gpt-oss-120b") == expected[::-1]


def test_closed_weights_are_offered_by_those_who_serve_them(make_point: MakePoint) -> None:
    """Who passes the request on is none of them."""
    point = make_point("anthropic", "openrouter", "vercel", "deepinfra", "perplexity", "snowflake", "bedrock")
    assert [provider for provider, _ in offers(point, "claude-sonnet-4.5")] == ["snowflake", "bedrock"]


@pytest.mark.parametrize(
    "asked", ["deepseek-chat", "magistral-small-latest", "claude-opus-latest", "gpt-99", "nonsense"]
)
def test_a_moving_alias_or_unknown_model_has_no_equal(make_point: MakePoint, asked: str) -> None:
    """Nobody can say that another serves the same."""
    assert offers(make_point("openrouter", "bedrock", "nvidia", "vercel", "azure"), asked) == []


def test_a_trimmed_build_is_not_offered(make_point: MakePoint) -> None:
    """It would be another model."""
    assert offers(make_point("lambda", "novita", "groq", "nebius"), "cerebras/qwen-3-32b") == [
        ("groq", "qwen/qwen3-32b"),
        ("nebius", "Qwen/Qwen3-32B"),
    ]


def test_a_deployment_is_offered_only_if_the_operator_says_what_it_is(make_point: MakePoint) -> None:
    """A name at Azure is the customer's own."""
    known = ConfiguredProvider(id="azure", models=(ModelRoute(name="a", upstream="prod", canonical="gpt-4o"),))
    silent = ConfiguredProvider(id="azure", models=(ModelRoute(name="a", upstream="gpt-4o"),))
    assert offers(make_point("openai", known), "openai/gpt-4o") == [("azure", "prod")]
    assert offers(make_point("openai", silent), "openai/gpt-4o") == []


def test_a_model_that_only_the_operator_knows_is_offered_by_routes(make_point: MakePoint) -> None:
    """An entry of the operator is as good as ours."""
    ones = [
        ConfiguredProvider(id=name, models=(ModelRoute(name=f"{name}-m", upstream="m", canonical="house-model"),))
        for name in ("vllm", "ollama")
    ]
    assert offers(make_point(*ones), "vllm-m") == [("ollama", "m")]


@pytest.mark.parametrize("unit", ["x", "é", "\ud800"])
def test_what_is_too_long_for_an_entry_is_nobodys_model(make_point: MakePoint, unit: str) -> None:
    """Whoever asks, with whatever characters: such a string is not resolved, and nothing of it is kept in memory."""
    resolver = make_point("groq").resolver
    longest = "groq/".ljust(MAX_MODEL_BYTES, "x")
    assert resolver.resolve(longest).provider == "groq"
    assert resolver.resolve(longest) is resolver.resolve(longest)  # what is kept is the same each time
    too_long = f"groq/{unit * (MAX_MODEL_BYTES // len(unit.encode(errors='surrogatepass')))}"
    for asked in [(too_long, ""), ("gpt-4o", too_long), (too_long * 1000, "")]:
        assert resolver.resolve(*asked) == Resolution(model=asked[0])
        assert resolver.resolve(*asked) is not resolver.resolve(*asked)
