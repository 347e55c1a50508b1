"""Stillhouse from Python: submit a distillation, wait for it, bring the verified artifact home. Needs httpx alone."""

from client.api import Client as Client
from client.errors import ClientError as ClientError
from client.errors import HashMismatch as HashMismatch
from client.errors import InvalidDataset as InvalidDataset
from client.errors import JobCancelled as JobCancelled
from client.errors import JobFailed as JobFailed
from client.errors import Problem as Problem
from client.errors import Unreachable as Unreachable
from client.errors import UsageError as UsageError
from client.errors import WaitTimeout as WaitTimeout
from client.forecast import Estimate as Estimate
from client.forecast import Forecast as Forecast
from client.jobs import Event as Event
from client.jobs import File as File
from client.jobs import Job as Job
from client.verify import verify as verify
