"""The ways between GPUs: NCCL, its kin of other vendors, and the network of the Pod under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import advise, set_argument, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

_STOPPED_WAITING = ("Watchdog caught collective operation timeout", "NCCL communicator was aborted")

_FAILED = ("nccl error", "ncclsystemerror", "ncclinternalerror", "ncclunhandled", "distbackenderror", "ncclremoteerror")


def _nccl_failed(case: Case) -> bool:
    """Whether NCCL gave up after its warning: mostly it takes another way, and the engine ends of something else."""
    below = case.passage.lowered[case.index :]
    return case.has_ended and any(words in line for line in below for words in _FAILED)


LINKS: tuple[Rule, ...] = (
    Rule(
        code="NcclError",
        seen=("custom_all_reduce.cuh",),
        message=("vLLM's own way between the GPUs (custom all-reduce) does not work on this node.",),
        who="user",
        remedies=(set_argument("--disable-custom-all-reduce", "", "Use NCCL in its place: set {argument}."),),
    ),
    Rule(
        code="NcclError",
        seen=("peer access is not supported", "Cuda failure … peer access"),
        only=lambda case: case.has_ended,
        message=("The GPUs of this node have no direct way to each other (peer access), and NCCL tried to use one.",),
        who="user",
        remedies=(set_env("NCCL_P2P_DISABLE", "1", "Let them talk through the node's memory: env.{variable}."),),
    ),
    Rule(
        code="NcclError",
        seen=("NCCL WARN … ibv_", "NCCL WARN … IB : ", "NCCL WARN NET/IB"),
        only=_nccl_failed,
        message=("NCCL cannot use the InfiniBand card that it finds on this node.",),
        who="user",
        remedies=(set_env("NCCL_IB_DISABLE", "1", "Do without it, which one node's GPUs can: env.{variable}."),),
    ),
    Rule(
        code="NcclError",
        seen=(
            "Gloo connectFullMesh failed",
            "DistNetworkError: The client socket has timed out",
            "DistStoreError: Timed out after",
            "NCCL WARN … no socket interface found",
        ),
        only=lambda case: case.has_ended,
        message=("The engine's processes cannot reach each other over the Pod's network.",),
        who="user",
        remedies=(
            set_env("VLLM_HOST_IP", "127.0.0.1", "Let them meet inside the Pod: env.{variable}."),
            advise("Or let the admin see that the Pod's own name and address are known inside it."),
        ),
    ),
    Rule(
        code="NcclError",
        seen=(
            "NCCL error in",
            "NCCL error:",
            "ncclUnhandledCudaError",
            "ncclSystemError",
            "ncclInternalError",
            "ncclRemoteError",
            "hcclComm … error code",
            "Transport init error",
            "HCCL function error",
            "HcclCommInitRootInfo fail",
            "[ERROR] HCCL(",
            "HCCL error",
            "RCCL error",
            *_STOPPED_WAITING,
        ),
        take=(r"NCCL error in: (?P<place>\S+)",),
        message=("The GPUs cannot talk to each other (NCCL).",),
        who="user",
        remedies=(set_env("NCCL_DEBUG", "INFO", "Make the next log say why: env.{variable}."),),
    ),
)
