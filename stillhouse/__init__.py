"""Stillhouse from Python: submit a distillation, wait for it, bring the verified artifact home. Needs httpx alone."""

from stillhouse.api import Client as Client
from stillhouse.errors import ClientError as ClientError
from stillhouse.errors import HashMismatch as HashMismatch
from stillhouse.errors import InvalidDataset as InvalidDataset
from stillhouse.errors import JobCancelled as JobCancelled
from stillhouse.errors import JobFailed as JobFailed
from stillhouse.errors import Problem as Problem
from stillhouse.errors import Unreachable as Unreachable
from stillhouse.errors import UsageError as UsageError
from stillhouse.errors import WaitTimeout as WaitTimeout
from stillhouse.forecast import Estimate as Estimate
from stillhouse.forecast import Forecast as Forecast
from stillhouse.jobs import Event as Event
from stillhouse.jobs import File as File
from stillhouse.jobs import Job as Job
from stillhouse.verify import verify as verify
