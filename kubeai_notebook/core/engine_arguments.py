"""The arguments that engines know, by name: to tell a slip of the pen before an engine ends of it.

An engine that does not know an argument ends at once, or ignores it, and says so in its log minutes later. No list
here is complete for every release: so a name that is not in it is let pass, and only one that is nearly a listed one
is doubted. Names without dashes; a switch's ``--no-…`` and keys behind a dot are its own.

Sources: vLLM 0.8 to 0.12, its engine and server arguments; Infinity 0.0.77, ``v2``; llama.cpp as
`local.engines.llamacpp_worker` reads it, which stands in for Ollama and vLLM on one's own machine (Ollama's own
``serve`` takes no arguments).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

LLAMA_CPP = frozenset(
    """
    chat-template ctx-size gpu-layers max-model-len max-num-seqs n-gpu-layers parallel threads
    """.split()  # noqa: SIM905 - a list of words is read and compared more easily than one of literals
)
_VLLM = frozenset(
    """
    additional-config all2all-backend allow-credentials allow-deprecated-quantization allowed-headers
    allowed-local-media-path allowed-media-domains allowed-methods allowed-origins api-key api-server-count
    async-scheduling attention-backend block-size calculate-kv-scales chat-template chat-template-content-format
    code-revision collect-detailed-traces compilation-config config config-format convert cpu-offload-gb
    cuda-graph-sizes data-parallel-address data-parallel-backend data-parallel-external-lb data-parallel-hybrid-lb
    data-parallel-rank data-parallel-rpc-port data-parallel-size data-parallel-size-local data-parallel-start-rank
    dbo-decode-token-threshold dbo-prefill-token-threshold decode-context-parallel-size default-mm-loras device
    disable-async-output-proc disable-cascade-attn disable-chunked-mm-input disable-custom-all-reduce
    disable-fastapi-docs disable-frontend-multiprocessing disable-hybrid-kv-cache-manager disable-log-requests
    disable-log-stats disable-mm-preprocessor-cache disable-sliding-window disable-uvicorn-access-log
    distributed-executor-backend download-dir dtype ec-transfer-config enable-auto-tool-choice enable-chunked-prefill
    enable-cumem-allocator enable-dbo enable-eplb enable-expert-parallel enable-force-include-usage
    enable-log-outputs enable-log-requests enable-lora enable-lora-bias enable-mm-embeds
    enable-multimodal-encoder-data-parallel enable-offline-docs enable-prefix-caching enable-prompt-adapter
    enable-prompt-embeds enable-prompt-tokens-details enable-reasoning enable-request-id-headers
    enable-return-routed-experts enable-server-load-tracking enable-sleep-mode enable-ssl-refresh
    enable-tokenizer-info-endpoint enforce-eager eplb-config eplb-log-balancedness eplb-step-interval eplb-window-size
    exclude-tools-when-tool-choice-none expert-placement-strategy fully-sharded-loras generation-config
    gpu-memory-utilization guided-decoding-backend guided-decoding-disable-additional-properties
    guided-decoding-disable-any-whitespace guided-decoding-disable-fallback h11-max-header-count
    h11-max-incomplete-event-size headless hf-config-path hf-overrides hf-token host ignore-patterns
    interleave-mm-strings io-processor-plugin kv-cache-dtype kv-cache-dtype-skip-layers kv-cache-memory-bytes
    kv-cache-metrics kv-cache-metrics-sample kv-events-config kv-offloading-backend kv-offloading-size
    kv-sharing-fast-prefill kv-transfer-config language-model-only limit-mm-per-prompt load-format log-config-file
    log-error-stack logits-processor-pattern logits-processors logprobs-mode long-prefill-token-threshold
    lora-dtype lora-extra-vocab-size lora-modules lora-target-modules mamba-block-size mamba-cache-dtype
    mamba-cache-mode mamba-ssm-cache-dtype max-cpu-loras max-log-len max-logprobs max-long-partial-prefills
    max-lora-rank max-loras max-model-len max-num-batched-tokens max-num-partial-prefills max-num-seqs
    max-parallel-loading-workers max-prompt-adapter-token max-prompt-adapters max-seq-len-to-capture media-io-kwargs
    middleware mm-encoder-attn-backend mm-encoder-only mm-encoder-tp-mode mm-processor-cache-gb
    mm-processor-cache-type mm-processor-kwargs mm-shm-cache-max-object-size-mb model model-impl
    model-loader-extra-config multi-step-stream-outputs nnodes node-rank num-gpu-blocks-override num-lookahead-slots
    num-redundant-experts num-scheduler-steps optimization-level otlp-traces-endpoint override-attention-dtype
    override-generation-config override-neuron-config override-pooler-config pipeline-parallel-size pooler-config port
    preemption-mode prefill-context-parallel-size prefix-caching-hash-algo profiler-config prompt-adapters
    pt-load-map-location qlora-adapter-name-or-path quantization quantization-config ray-workers-use-nsight
    reasoning-parser reasoning-parser-plugin renderer-num-workers response-role return-tokens-as-token-ids revision
    rope-scaling rope-theta root-path runner safetensors-load-strategy scheduler-cls scheduler-delay-factor
    scheduling-policy seed served-model-name show-hidden-metrics-for-version skip-mm-profiling skip-tokenizer-init
    speculative-config ssl-ca-certs ssl-cert-reqs ssl-certfile ssl-keyfile stream-interval structured-outputs-config
    swap-space task tensor-parallel-size tokenizer tokenizer-mode tokenizer-pool-extra-config tokenizer-pool-size
    tokenizer-pool-type tokenizer-revision tokens-only tool-call-parser tool-parser-plugin tool-server
    trust-remote-code trust-request-chat-template typical-acceptance-sampler-posterior-alpha ubatch-size uds
    use-tqdm-on-load use-v2-block-manager uvicorn-log-level video-pruning-rate weight-transfer-config worker-cls
    worker-extension-cls
    """.split()  # noqa: SIM905 - a list of words is read and compared more easily than one of literals
)
_INFINITY = frozenset(
    """
    api-key batch-size bettertransformer compile device device-id dtype embedding-dtype engine host
    lengths-via-tokenize log-level model-id model-warmup permissive-cors pooling-method port preload-only
    proxy-root-path redirect-slash revision served-model-name trust-remote-code url-prefix vector-disk-cache
    """.split()  # noqa: SIM905 - a list of words is read and compared more easily than one of literals
)
KNOWN: Mapping[str, frozenset[str]] = {"VLLM": _VLLM, "Infinity": _INFINITY, "OLlama": LLAMA_CPP}
"""By the engine as the CRD spells it."""
_SHARE = 0.84


def meant_argument(engine: str, name: str) -> str:
    """The argument that a name stands for by a slip; ``""`` where the engine knows it, or none is near.

    >>> meant_argument("VLLM", "max-model-length"), meant_argument("OLlama", "ctx-sise")
    ('max-model-len', 'ctx-size')
    >>> meant_argument("VLLM", "max-model-len"), meant_argument("VLLM", "brand-new")
    ('', '')
    """
    known = KNOWN.get(engine, frozenset())
    name = name.partition(".")[0]
    # argparse takes the beginning of a name for the whole of it.
    if any(one.startswith(name.removeprefix("no-")) for one in known):
        return ""
    return nearest(name, known, share=_SHARE)
