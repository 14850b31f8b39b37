"""Which objects of other buckets a function may read: the CRLs that the fleet file names, as few words as IAM takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from jitr.crls.sources import S3Location

# A managed policy has 6,144 characters (IAM quotas). The other permissions of a function take less than half of them,
# and CDK puts a statement into a policy as a whole.
MOST_CHARACTERS = 2_000

Pattern = Callable[[S3Location], str]


def object_arns(sources: Iterable[str], *, partition: str) -> tuple[str, ...]:
    """Return ARNs that cover these objects (`s3://bucket/key`): each by its key, if they fit into one statement.

    More are taken together by folder, and if these are still too many by bucket: what may be read beyond CRLs is beside
    them, in buckets whose owner lets this account read. Not checked: that a bucket's policy allows it.
    """
    objects = [S3Location.parse(source) for source in sorted(set(sources))]
    exact: Pattern = lambda found: f"{found.bucket}/{found.key}"  # noqa: E731 - one of three of a kind
    arns: tuple[str, ...] = ()
    for pattern in (exact, _folder, lambda found: f"{found.bucket}/*"):
        arns = tuple(f"arn:{partition}:s3:::{each}" for each in _together(objects, pattern, exact))
        if sum(map(len, arns)) <= MOST_CHARACTERS:
            break
    return arns


def _folder(found: S3Location) -> str:
    folder, slash, _ = found.key.rpartition("/")
    return f"{found.bucket}/{folder}{slash}*"


def _together(objects: Sequence[S3Location], pattern: Pattern, exact: Pattern) -> Iterator[str]:
    """Yield one pattern for all objects that it covers; one that would cover a single object is not widened."""
    groups: dict[str, list[S3Location]] = defaultdict(list)
    for each in objects:
        groups[pattern(each)].append(each)
    for name, members in groups.items():
        yield name if len(members) > 1 else exact(members[0])


def statements(arns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the ARNs in parts that are no larger than a statement may be, for CDK to spread over several policies."""
    part: list[str] = []
    for arn in arns:
        if part and sum(map(len, part)) + len(arn) > MOST_CHARACTERS:
            yield tuple(part)
            part = []
        part.append(arn)
    if part:
        yield tuple(part)
