"""The operations of AWS IoT's control plane: permissions of IAM roles, never of devices.

Source: the model of the service `iot` in botocore 1.44.5 and "Actions, resources, and condition keys for AWS IoT" in
the service authorization reference, both as of 2026-11-30. `make policy-tables` compares them again.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
    AcceptCertificateTransfer AddThingToBillingGroup AddThingToThingGroup AssociateSbomWithPackageVersion
    AssociateTargetsWithJob AttachPolicy AttachPrincipalPolicy AttachSecurityProfile AttachThingPrincipal
    CancelAuditMitigationActionsTask CancelAuditTask CancelCertificateTransfer CancelDetectMitigationActionsTask
    CancelJob CancelJobExecution ClearDefaultAuthorizer CloseTunnel ConfirmTopicRuleDestination
    CreateAuditSuppression CreateAuthorizer CreateBillingGroup CreateCertificateFromCsr
    CreateCertificateProvider CreateCommand CreateCustomMetric CreateDimension CreateDomainConfiguration
    CreateDynamicThingGroup CreateFleetMetric CreateJob CreateJobTemplate CreateKeysAndCertificate
    CreateMitigationAction CreateOTAUpdate CreatePackage CreatePackageVersion CreatePolicy CreatePolicyVersion
    CreateProvisioningClaim CreateProvisioningTemplate CreateProvisioningTemplateVersion CreateRoleAlias
    CreateScheduledAudit CreateSecurityProfile CreateStream CreateThing CreateThingGroup CreateThingType
    CreateTopicRule CreateTopicRuleDestination DeleteAccountAuditConfiguration DeleteAuditSuppression
    DeleteAuthorizer DeleteBillingGroup DeleteCACertificate DeleteCertificate DeleteCertificateProvider
    DeleteCommand DeleteCommandExecution DeleteCustomMetric DeleteDimension DeleteDomainConfiguration
    DeleteDynamicThingGroup DeleteFleetMetric DeleteJob DeleteJobExecution DeleteJobTemplate
    DeleteMitigationAction DeleteOTAUpdate DeletePackage DeletePackageVersion DeletePolicy DeletePolicyVersion
    DeleteProvisioningTemplate DeleteProvisioningTemplateVersion DeleteRegistrationCode DeleteRoleAlias
    DeleteScheduledAudit DeleteSecurityProfile DeleteStream DeleteThing DeleteThingGroup DeleteThingType
    DeleteTopicRule DeleteTopicRuleDestination DeleteV2LoggingLevel DeprecateThingType
    DescribeAccountAuditConfiguration DescribeAuditFinding DescribeAuditMitigationActionsTask
    DescribeAuditSuppression DescribeAuditTask DescribeAuthorizer DescribeBillingGroup DescribeCACertificate
    DescribeCertificate DescribeCertificateProvider DescribeCustomMetric DescribeDefaultAuthorizer
    DescribeDetectMitigationActionsTask DescribeDimension DescribeDomainConfiguration
    DescribeEncryptionConfiguration DescribeEndpoint DescribeEventConfigurations DescribeFleetMetric
    DescribeIndex DescribeJob DescribeJobTemplate DescribeManagedJobTemplate DescribeMitigationAction
    DescribeProvisioningTemplate DescribeProvisioningTemplateVersion DescribeRoleAlias DescribeScheduledAudit
    DescribeSecurityProfile DescribeStream DescribeThing DescribeThingGroup DescribeThingRegistrationTask
    DescribeThingType DescribeTunnel DetachPolicy DetachPrincipalPolicy DetachSecurityProfile
    DetachThingPrincipal DisableTopicRule DisassociateSbomFromPackageVersion EnableTopicRule
    GetBehaviorModelTrainingSummaries GetBucketsAggregation GetCardinality GetCommand GetCommandExecution
    GetEffectivePolicies GetIndexingConfiguration GetJobDocument GetLoggingOptions GetOTAUpdate GetPackage
    GetPackageConfiguration GetPackageVersion GetPercentiles GetPolicy GetPolicyVersion GetRegistrationCode
    GetStatistics GetThingConnectivityData GetTopicRule GetTopicRuleDestination GetV2LoggingOptions
    ListActiveViolations ListAttachedPolicies ListAuditFindings ListAuditMitigationActionsExecutions
    ListAuditMitigationActionsTasks ListAuditSuppressions ListAuditTasks ListAuthorizers ListBillingGroups
    ListCACertificates ListCertificateProviders ListCertificates ListCertificatesByCA ListCommandExecutions
    ListCommands ListCustomMetrics ListDetectMitigationActionsExecutions ListDetectMitigationActionsTasks
    ListDimensions ListDomainConfigurations ListFleetMetrics ListIndices ListJobExecutionsForJob
    ListJobExecutionsForThing ListJobTemplates ListJobs ListManagedJobTemplates ListMetricValues
    ListMitigationActions ListOTAUpdates ListOutgoingCertificates ListPackageVersions ListPackages ListPolicies
    ListPolicyPrincipals ListPolicyVersions ListPrincipalPolicies ListPrincipalThings ListPrincipalThingsV2
    ListProvisioningTemplateVersions ListProvisioningTemplates ListRelatedResourcesForAuditFinding
    ListRoleAliases ListSbomValidationResults ListScheduledAudits ListSecurityProfiles
    ListSecurityProfilesForTarget ListStreams ListTagsForResource ListTargetsForPolicy
    ListTargetsForSecurityProfile ListThingGroups ListThingGroupsForThing ListThingPrincipals
    ListThingPrincipalsV2 ListThingRegistrationTaskReports ListThingRegistrationTasks ListThingTypes ListThings
    ListThingsInBillingGroup ListThingsInThingGroup ListTopicRuleDestinations ListTopicRules ListTunnels
    ListV2LoggingLevels ListViolationEvents OpenTunnel PutVerificationStateOnViolation RegisterCACertificate
    RegisterCertificate RegisterCertificateWithoutCA RegisterThing RejectCertificateTransfer
    RemoveThingFromBillingGroup RemoveThingFromThingGroup ReplaceTopicRule RotateTunnelAccessToken SearchIndex
    SetDefaultAuthorizer SetDefaultPolicyVersion SetLoggingOptions SetV2LoggingLevel SetV2LoggingOptions
    StartAuditMitigationActionsTask StartCommandExecution StartDetectMitigationActionsTask
    StartOnDemandAuditTask StartThingRegistrationTask StopThingRegistrationTask TagResource TestAuthorization
    TestInvokeAuthorizer TransferCertificate UntagResource UpdateAccountAuditConfiguration
    UpdateAuditSuppression UpdateAuthorizer UpdateBillingGroup UpdateCACertificate UpdateCertificate
    UpdateCertificateProvider UpdateCommand UpdateCustomMetric UpdateDimension UpdateDomainConfiguration
    UpdateDynamicThingGroup UpdateEncryptionConfiguration UpdateEventConfigurations UpdateFleetMetric
    UpdateIndexingConfiguration UpdateJob UpdateMitigationAction UpdatePackage UpdatePackageConfiguration
    UpdatePackageVersion UpdateProvisioningTemplate UpdateRoleAlias UpdateScheduledAudit UpdateSecurityProfile
    UpdateStream UpdateThing UpdateThingGroup UpdateThingGroupsForThing UpdateThingType
    UpdateTopicRuleDestination ValidateSecurityProfileBehaviors
"""
CONTROL_PLANE: Final = frozenset(f"iot:{name}" for name in _NAMES.split())


def is_control_plane(name: str) -> bool:
    """Return whether `name` is an operation of AWS IoT's control plane, which no device policy can allow."""
    return name in CONTROL_PLANE
