"""All rules of the diagnosis, as the tables hold them, and all codes that they may give."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis import tables
from kubeai_notebook.core.diagnosis.engine import unknown
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES = """
NoSpec OperatorDown WrongNamespace InvalidResourceProfile UnknownResourceProfile UnknownCacheProfile NoServerImage
CreationRefused CacheJobFailed RolloutStuck DeletionStuck ReservedArgument ModelNotPulledThoughReady
QuotaExceeded QuotaNeedsRequests PolicyDenied PriorityClassMissing PodInvalid
WaitingForNode AutoscalerAtLimit AutoscalerCannotHelp InsufficientGpu InsufficientCpuOrMemory NodeUnavailable
UntoleratedTaint NodeSelectorMismatch SpreadUnsatisfied PodAffinityUnsatisfied HostPortTaken Preempted
ClaimNotFound StorageClassNotFound StorageNoReadWriteMany PvcUnbound VolumeNodeAffinity VolumeMountFailed
SecretNotFound SecretKeyNotFound RegistryCertificate ImagePullRateLimited ImagePlatformMismatch ImagePullUnauthorized
ImageNotFound RegistryUnreachable BrokenEngineImage
NvidiaRuntimeMissing ContainerNotStarted PodSandboxFailed NodeRefusedPod NodeLost Evicted OomKilled Killed
ProbeKilledContainer DeadlineExceeded CpuLacksInstructions CodeInEnvironment UserHasNoName ServiceInEnvironment
GpuFaulty WaitingInQueue
DiskFull HubTokenLacksPermission GatedModelNotAuthorized GatedModelNoToken HubTokenInvalid RevisionNotFound
ModelNotFound OfflineNoCache HubRateLimited SourceServerError TlsCertificate S3SettingsWrong ProxyUnreachable
DownloadInterrupted WeightsDamaged SourceUnreachable CloudCredentialsMissing S3CredentialsRejected S3AccessDenied
S3NotFound S3ObjectsArchived DestinationNotWritable LoaderBroken ModelFolderIncomplete ModelPathMissing InvalidModelUrl
UnknownArgument BadArgumentValue MaxNumBatchedTokensTooSmall MaxModelLenTooLarge ChatTemplateFileMissing
QuantizationUnsupported DtypeUnsupported TrustRemoteCodeNeeded PythonPackageMissing FeatureMismatch
UnsupportedArchitecture ModelFormatUnsupported NoConfigJson ModelJsonInvalid WeightsUnreadable ConfigWeightsMismatch
CannotListen
SharedMemoryTooSmall MaxModelLenTooLargeForKvCache GpuOutOfMemoryForKvCache GpuMemoryInUseByOthers CudaOutOfMemory
TensorParallelMoreThanGpus TensorParallelNotDivisible GpuTooOld GpuTooOldForBfloat16 NoGpuVisible NvidiaDriverTooOld
RocmError NcclError
NotEnoughMemory OllamaTooOld EngineStartTimeout RunnerDied
LoraRankTooLarge AdapterWrongBase AdapterNotLoaded
ModelNotFoundAtGateway BadRequestAtGateway GatewayError ChatTemplateMissing ToolParserMissing ReadyButNotAnswering
ContextExceeded ToolsUnsupported InputKindUnsupported DimensionsUnsupported EngineKeyWanted SchemaUnsupported
AudioUnreadable EngineBusy ModelUnknownToEngine BadRequestAtEngine
LoginPage ProxyRefused NoGatewayThere GatewayUnreachable ProxyTimeout ProxyBodyLimit ProxyRateLimit
MeshRefused MeshTlsMismatch GatewayProxyForbidden
Unknown
""".split()  # noqa: SIM905 - a list of a hundred lines would hide the families


def rules() -> Iterator[Rule]:
    """Every rule; one that stands in two tuples comes twice."""
    modules = [import_module(f"{tables.__name__}.{table.name}") for table in pkgutil.iter_modules(tables.__path__)]
    for module in (*modules, unknown):
        for _, value in inspect.getmembers(module):
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Rule):
                    yield item
