"""One deployment: reads like the diagram, defines no resource itself, and says who may do what to whom."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_cdk import Annotations, CfnOutput, Environment, Stack
from constructs import Construct, IDependable

from jitr.policies.rollout import shared_policies
from jitr.policies.template import uses_device_values
from jitr.settings import Environment as FunctionEnvironment
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.deployments.stack_outputs import NO_HOSTS, StackOutputs
from jitr_fleet.deployments.versions import own_version
from jitr_fleet.fleet_file.warnings import notes_of, warnings_of
from jitr_infra.authorities import Authorities
from jitr_infra.enforcement_triggers import EnforcementTriggers
from jitr_infra.functions.activation_function import ActivationFunction
from jitr_infra.functions.bulk_service import BulkService
from jitr_infra.functions.bundle import fetch_wheels, function_code
from jitr_infra.functions.bundled_function import FunctionSettings
from jitr_infra.functions.enforcement_function import EnforcementFunction
from jitr_infra.functions.roll_out_function import RollOutFunction
from jitr_infra.monitoring.monitoring import MonitoredParts, monitor
from jitr_infra.parts.build_target import BuildTarget
from jitr_infra.parts.crl_bucket import CrlBucket
from jitr_infra.parts.crl_objects import object_arns, statements
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.encryption import Encryption
from jitr_infra.parts.execution_role import ExecutionRole
from jitr_infra.parts.organisation import meet_the_organisation
from jitr_infra.parts.queued_ingestion import QueuedIngestion
from jitr_infra.parts.state_storage import StateStorage
from jitr_infra.parts.template_limits import add_limits
from jitr_infra.registration_rule import RegistrationRule
from jitr_infra.shared_policies import SharedPolicies
from jitr_infra.thing_groups import ThingGroups

_PARTITION_LITERALS = "@aws-cdk/core:enablePartitionLiterals"
_RESOURCE_LIMIT = "@aws-cdk/core:stackResourceLimit"
_MANY_CRLS = "The fleet file names more CRLs of other buckets than a policy can; folders and buckets stand for theirs."


class DeploymentStack(Stack):
    """The stack of one deployment of the fleet file; its id is the deployment's name.

    Physical names are fixed on purpose: they are what the command line, alarms and runbooks talk about, and what
    `cdk deploy --import-existing-resources` finds retained resources by.
    """

    def __init__(self, scope: Construct, *, deployment: Deployment, target: BuildTarget | None = None) -> None:
        target = target or BuildTarget()
        super().__init__(
            scope,
            deployment.name,
            stack_name=deployment.name,
            description=f"jitr: just-in-time registration on AWS IoT Core, deployment {deployment.name}",
            env=Environment(account=deployment.account, region=deployment.region),
            synthesizer=target.synthesizer,
            # A tenth of a template is white space, and CloudFormation counts it.
            suppress_template_indentation=True,
            # Off by default: what must not be lost is retained, a deploy brings the rest back.
            termination_protection=deployment.termination_protection,
        )
        self._prepare(target)
        self._deployment = deployment
        self._configuration = configuration_of(deployment)
        self._encryption = Encryption.of(self, deployment)
        self.state_table = StateStorage(
            self, "StateTable", table_name=f"jitr-{deployment.name}-state", encryption=self._encryption
        )
        self.crl_bucket = CrlBucket(self, "CrlBucket", deployment, encryption=self._encryption)
        settings = self._function_settings(target)
        self.authorities = Authorities(self, "Authorities", settings, crl_bucket=self.crl_bucket)
        deciding = settings.with_environment(self.authorities.environment)
        self.dead_letters = self._dead_letters("DeadLetters", "dead-letters")
        self.activation_queue = self._activation_queue()
        self.activate = ActivationFunction(
            self, "Activate", deciding, queue=self.activation_queue, dead_letters=self.dead_letters
        )
        self.enforcement_dead_letters = self._dead_letters("EnforcementDeadLetters", "enforcement-dead-letters")
        self.enforce = EnforcementFunction(self, "Enforce", deciding, dead_letters=self.enforcement_dead_letters)
        self.bulk = BulkService(self, "BulkWork", settings)
        self.registration_rule = self._triggers()
        self.alarm_topic = monitor(self, deployment=deployment, parts=self._monitored())
        if deployment.observes:
            self._grant_observation()
        else:
            self._grant()
            self._guard()
            self._open(settings)
        self._finish()

    def _activation_queue(self) -> QueuedIngestion:
        return QueuedIngestion(
            self,
            "ActivationQueue",
            deployment=self._deployment,
            dead_letters=self.dead_letters,
            encryption=self._encryption,
        )

    def _finish(self) -> None:
        """Add what concerns everything that is in the stack by now, and say what there is."""
        for role in (self.activate.role, self.enforce.role):
            role.allow_decrypting_crls(self._deployment.crl_kms_keys)
        meet_the_organisation(self, self._deployment)
        self._remark()
        self._write_outputs()

    def _prepare(self, target: BuildTarget) -> None:
        """Set what has to be set before anything is in the stack, and fetch what every bundle needs."""
        # ARNs in full, whatever context the app was started with: acknowledgements name them.
        self.node.set_context(_PARTITION_LITERALS, True)  # noqa: FBT003 - CDK's signature
        # CDK would stop at 500 resources in its own words, before ours say how to go on.
        self.node.set_context(_RESOURCE_LIMIT, 0)
        add_limits(self)
        if self.bundling_required:
            fetch_wheels(target)

    def _function_settings(self, target: BuildTarget) -> FunctionSettings:
        """Return what all functions have in common; what only the deploy finds out about CAs is added later."""
        return FunctionSettings(
            deployment=self._deployment,
            code=function_code(self._configuration, target),
            environment=self._function_environment(),
            target=target,
            encryption=self._encryption,
        )

    def _dead_letters(self, construct_id: str, name: str) -> DeadLetters:
        name = f"jitr-{self._deployment.name}-{name}"
        return DeadLetters(self, construct_id, queue_name=name, encryption=self._encryption)

    def _triggers(self) -> RegistrationRule:
        """Add what makes activation and enforcement run."""
        EnforcementTriggers(
            self,
            "EnforcementTriggers",
            deployment=self._deployment,
            function=self.enforce.function,
            crl_bucket=self.crl_bucket.name,
            dead_letters=self.enforcement_dead_letters,
        )
        return RegistrationRule(
            self,
            "RegistrationRule",
            rule_name=f"jitr_{self._deployment.name.replace('-', '_')}_registered",
            function=self.activate.function,
            queue=self.activation_queue if self._deployment.queued else None,
            dead_letters=self.dead_letters,
        )

    def _monitored(self) -> MonitoredParts:
        return MonitoredParts(
            rule_name=self.registration_rule.rule_name,
            activate=self.activate,
            queue=self.activation_queue.queue if self._deployment.queued else None,
            dead_letters=self.dead_letters,
            enforce=self.enforce,
            enforcement_dead_letters=self.enforcement_dead_letters,
            bulk=self.bulk,
        )

    def _open(self, settings: FunctionSettings) -> None:
        """Register the CAs once everything listens, and then bring the policies up to their templates."""
        registrations = self.authorities.register(after=(self.registration_rule, self.activate, *self._things()))
        roll_out = RollOutFunction(self, "RollOut", settings)
        self._roll_out_policies(roll_out, after=(self.registration_rule, self.activate, self.enforce, *registrations))

    def _function_environment(self) -> dict[str, str]:
        return FunctionEnvironment.to_environ(
            {
                "account": self.account,
                "partition": self.partition,
                "state_table": self.state_table.table.table_name,
                "crl_bucket": self.crl_bucket.bucket.bucket_name,
            }
        )

    def _grant(self) -> None:
        activation, enforcement = self.activate.role, self.enforce.role
        shared = self._configuration.policy_name("*")
        activation.allow_activation(policies=shared)
        activation.allow_ending_connections()
        if any(uses_device_values(template) for template in self._deployment.policies.values()):
            activation.allow_device_policies(policies=self._configuration.device_policies)
        enforcement.allow_enforcement(policies=shared)
        enforcement.allow_ending_connections()
        self.bulk.grant(policies=shared, state_table=self.state_table)
        self.state_table.grant_activation(activation.role)
        self.state_table.grant_enforcement(enforcement.role)
        self.crl_bucket.reserve_copies(enforcement)
        for role in (activation, enforcement):
            self._grant_reading_crls(role)

    def _grant_observation(self) -> None:
        """Let activation read, and nobody do more than that."""
        role = self.activate.role
        role.allow_observation()
        self.state_table.grant_observation(role.role)
        self._grant_reading_crls(role)

    def _guard(self) -> None:
        """Let what decides about devices wait until it is clear that no CA leaves the fleet file too early."""
        if self.authorities.guard is not None:
            for function in (self.activate.function, self.enforce.function):
                function.node.add_dependency(self.authorities.guard)

    def _things(self) -> tuple[IDependable, ...]:
        """Create the types and groups that Things get, and return what devices have to wait for."""
        if groups := sorted({group for ca in self._deployment.cas for group in ca.thing_groups}):
            self.activate.role.allow_grouping(groups=groups)
        if not self._deployment.create_thing_groups:
            return ()
        return (ThingGroups(self, "ThingGroups", deployment=self._deployment),)

    def _remark(self) -> None:
        """Say what is allowed, but worth a word."""
        for note in notes_of(self._deployment):
            Annotations.of(self).add_info(note)
        for number, warning in enumerate(warnings_of(self._deployment, at=datetime.now(UTC)), start=1):
            Annotations.of(self).add_warning_v2(f"jitr-ca-{number}", warning)

    def _grant_reading_crls(self, role: ExecutionRole) -> None:
        """Allow reading the CRLs that the fleet file names: in the own bucket, and in others these objects."""
        self.crl_bucket.grant_read(role)
        own = f"s3://{self.crl_bucket.name}/"
        elsewhere = [ca.crl for ca in self._deployment.cas if ca.crl.startswith("s3://") and not ca.crl.startswith(own)]
        for arns in statements(object_arns(elsewhere, partition=self.partition)):
            role.allow(["s3:GetObject"], arns, because=_MANY_CRLS if any(arn.endswith("*") for arn in arns) else None)

    def _roll_out_policies(self, roll_out: RollOutFunction, *, after: tuple[IDependable, ...]) -> None:
        roll_out.role.allow_roll_out(policies=self._configuration.policy_name("*"))
        values = {"account": self.account, "region": self.region, "partition": self.partition}
        documents = shared_policies(self._configuration, values)
        if documents:
            SharedPolicies(self, "Policies", documents=documents, roll_out=roll_out, after=after)

    def _write_outputs(self) -> None:
        outputs = StackOutputs(
            deployment=self._deployment.name,
            function=self.activate.function.function_name,
            enforcement_function=self.enforce.function.function_name,
            state_table=self.state_table.table.table_name,
            crl_bucket=self.crl_bucket.bucket.bucket_name,
            activation_queue=self.activation_queue.queue.queue_url,
            ingestion=self._deployment.ingestion.value,
            dead_letter_queue=self.dead_letters.queue.queue_url,
            enforcement_dead_letter_queue=self.enforcement_dead_letters.queue.queue_url,
            bulk_function=self.bulk.function.function.function_name,
            bulk_queue=self.bulk.work.queue.queue_url,
            bulk_dead_letter_queue=self.bulk.dead_letters.queue.queue_url,
            alarm_topic=self.alarm_topic.topic_arn,
            rule=self.registration_rule.rule_name,
            policies=",".join(sorted(self._deployment.policies)),
            crl_hosts=",".join(self._deployment.crl_hosts) or NO_HOSTS,
            bulk_tps=f"{self._deployment.bulk_tps:g}",
            api_tps=str(self._deployment.api_tps),
            mode=self._configuration.mode.value,
            version=own_version(),
        )
        # A scope of their own, because some keys are names of constructs too.
        scope = Construct(self, "Outputs")
        for key, value in outputs.to_outputs().items():
            CfnOutput(scope, key, value=value).override_logical_id(key)
