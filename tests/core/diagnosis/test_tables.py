"""The rules as tables: every known code has a row, no other code exists, every sentence can be filled in."""

import inspect
import pkgutil
from importlib import import_module

import kubeai_notebook.core.diagnosis.tables as package
from kubeai_notebook.core.diagnosis.engine import unknown
from kubeai_notebook.core.diagnosis.engine.remedies import filled
from kubeai_notebook.core.diagnosis.engine.rule import Case, Rule, finding_of
from kubeai_notebook.core.diagnosis.engine.scene import Scene
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.objects import Pod
from kubeai_notebook.core.observation import Observation

from .scenes import NOW

CODES = """
NoSpec OperatorDown WrongNamespace InvalidResourceProfile UnknownResourceProfile UnknownCacheProfile NoServerImage
CreationRefused CacheJobFailed RolloutStuck DeletionStuck ReservedArgument ModelNotPulledThoughReady
QuotaExceeded QuotaNeedsRequests PolicyDenied PriorityClassMissing PodInvalid
WaitingForNode AutoscalerAtLimit AutoscalerCannotHelp InsufficientGpu InsufficientCpuOrMemory NodeUnavailable
UntoleratedTaint NodeSelectorMismatch Preempted
ClaimNotFound StorageClassNotFound StorageNoReadWriteMany PvcUnbound VolumeNodeAffinity VolumeMountFailed
SecretNotFound SecretKeyNotFound RegistryCertificate ImagePullRateLimited ImagePlatformMismatch ImagePullUnauthorized
ImageNotFound RegistryUnreachable BrokenEngineImage
NvidiaRuntimeMissing PodSandboxFailed NodeRefusedPod NodeLost Evicted OomKilled Killed ProbeKilledContainer
DeadlineExceeded CpuLacksInstructions CodeInEnvironment
DiskFull HubTokenLacksPermission GatedModelNotAuthorized GatedModelNoToken HubTokenInvalid RevisionNotFound
ModelNotFound OfflineNoCache HubRateLimited SourceServerError TlsCertificate S3SettingsWrong ProxyUnreachable
DownloadInterrupted SourceUnreachable CloudCredentialsMissing S3CredentialsRejected S3AccessDenied S3NotFound
S3ObjectsArchived DestinationNotWritable LoaderBroken ModelFolderIncomplete ModelPathMissing InvalidModelUrl
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
Unknown
""".split()  # noqa: SIM905 - a list of a hundred lines would hide the families
# Known in every Observation, whatever it lacks.
ALWAYS = {"name": "m"}


def rules():
    tables = [import_module(f"{package.__name__}.{table.name}") for table in pkgutil.iter_modules(package.__path__)]
    for module in (*tables, unknown):
        for _, value in inspect.getmembers(module):
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Rule):
                    yield item


def test_has_a_rule_for_every_code_and_no_other_code():
    assert {rule.code for rule in rules()} == set(CODES)


def test_can_say_every_rule_without_any_value_from_the_text():
    # These are made with their values at hand, never without.
    given = {"why": "x", "profile": "x", "written": "x", "cache_profile": "x", "engine": "x", "operator_ns": "x"}
    silent = [rule.code for rule in rules() if filled(rule.message[-1:], ALWAYS | given) is None]
    assert silent == []


def test_every_rule_has_a_fix_even_where_it_could_read_no_value():
    made = {"metadata": {"name": "m", "namespace": "ai"}, "spec": {"engine": "Infinity", "url": "pvc://c"}}
    case = Case(Scene(Observation(model=made), NOW), Passage("log", "p", ("x",)), 0, Pod({"metadata": {"name": "p"}}))
    # The first waits; the others are made from the Model or Pod that they name.
    exempt = {"WaitingForNode", "ReservedArgument", "RolloutStuck"}
    assert [rule.code for rule in rules() if rule.code not in exempt and not finding_of(rule, case).remedies] == []


def test_fragments_are_long_enough_to_mean_something():
    shortest = min((fragment for rule in rules() for fragment in rule.seen), key=len)
    assert len(shortest) >= 5
