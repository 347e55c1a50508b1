"""`POST /v1/datasets` and `DELETE /v1/datasets/{id}`: datasets of one's own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated, Final, Literal, final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field
from starlette.requests import ClientDisconnect

from api.arrivals import Arrival, announced, arriving
from api.dataset_schema import MIRROR, Dataset
from api.interrupted import Key
from api.problems import Kind, ProblemError, header, invalid, responses, sentence
from api.schemas import Shown
from api.services import Services, ServicesDep
from core.data.folders import AUTO, SIDES
from core.data.numbers import Missing
from core.data.reading import Reading, Rows, Turned
from core.ledger import UnknownUpload, UploadInUse
from core.recipe import FieldError

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=responses(Kind.INVALID_REQUEST))

MEDIA_TYPES = (
    "application/zip",
    "application/x-zip-compressed",
    "application/octet-stream",
    "application/x-npz",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-bzip2",
    "application/x-xz",
    "text/csv",
    "application/vnd.apache.parquet",
)

_SHA256: Final = "^[0-9a-f]{64}$"
_KEY: Final = "The SHA-256 of the whole file, in hexadecimal digits."

UploadKey = Annotated[
    str | None,
    Header(alias="Upload-Key", pattern=_SHA256, description=f"{_KEY} Given it, what came waits if the line breaks."),
]
UploadOffset = Annotated[
    int,
    Header(alias="Upload-Offset", ge=0, lt=2**60, description="Bytes that are here already; the body is the rest."),
]
Name = Annotated[str, Query(min_length=1, max_length=100, description="What to call it.", examples=["flowers"])]
Size = Annotated[
    Annotated[int, Field(ge=SIDES[0], le=SIDES[1])] | Literal["auto"] | None,
    Query(
        description="Scale each picture so, and keep its middle square of so many pixels; 'auto' chooses a side of at "
        "most 64 where the pictures are larger or of several sizes."
    ),
]
Mirror = Annotated[
    Literal["auto", "yes", "no"],
    Query(
        description="Whether a mirrored picture stays what it is, so that networks may be trained on both: 'no' for "
        "digits, letters, left and right. 'auto' finds it out from the training images."
    ),
]
Label = Annotated[
    str,
    Query(
        max_length=200,
        description="Of a table, or of one that says the classes of pictures: the column of the labels. Empty: the one "
        "by a usual name, such as 'label' or 'class'.",
        examples=["species"],
    ),
]
MissingValues = Annotated[
    Missing,
    Query(
        description="Of a table or series: what stands in for missing values: the training rows' 'mean' or 'median' of "
        "their column; 'drop' leaves their rows out, 'refuse' the dataset."
    ),
]
TableKind = Annotated[
    Rows,
    Query(description="Of a table: 'series' where its columns are steps of one series a row."),
]
Order = Annotated[
    str,
    Query(
        max_length=8000,
        description="The classes in their order, each once, as a line of CSV. Empty: folders in the order of numbers "
        "where all are, else of letters; a bundle's own.",
        examples=["small,medium,large"],
    ),
]
TrainFolder = Annotated[
    str,
    Query(
        max_length=200, description="Of an archive: the folder that is the training set. Empty: one called train or so."
    ),
]
TestFolder = Annotated[
    str,
    Query(max_length=200, description="Of an archive: the folder that is the test set. Empty: one called test or so."),
]
Transposed = Annotated[
    Turned,
    Query(
        description="Of IDX files, or of a table whose columns are pixels: whether the pictures' rows are stored as "
        "columns. 'auto': those of EMNIST are, by the names of its files."
    ),
]
SkipBroken = Annotated[
    bool,
    Query(
        description="Of an archive: leave out files that cannot be taken, and say which, rather than refuse it whole."
    ),
]


@router.post(
    "",
    operation_id="create_dataset",
    summary="Upload a dataset",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
        }
    },
    responses={
        200: {
            "model": Dataset,
            "description": "An equal file of this name, read alike, has arrived before: it is that dataset.",
            "headers": header("Location", "The dataset's path."),
        },
        202: {
            "description": "It has arrived whole and is being inspected, also to put back an equal one that the store "
            "has lost; `Location` says where to look.",
            "headers": header("Location", "The dataset's path.")
            | header("Retry-After", "Seconds until looking again makes sense."),
        },
        **responses(
            Kind.BODY_TOO_LARGE,
            Kind.UNSUPPORTED_MEDIA_TYPE,
            Kind.QUOTA_EXCEEDED,
            Kind.TOO_MANY_REQUESTS,
        ),
    },
)
async def create_dataset(
    services: ServicesDep,
    request: Request,
    response: Response,
    name: Name,
    size: Size = None,
    mirror: Mirror = "auto",
    label_column: Label = "",
    missing: MissingValues = "refuse",
    kind: TableKind = "auto",
    order: Order = "",
    train_folder: TrainFolder = "",
    test_folder: TestFolder = "",
    skip_broken: SkipBroken = False,
    transposed: Transposed = "auto",
    upload_key: UploadKey = None,
    upload_offset: UploadOffset = 0,
) -> Dataset:
    """The body is the file itself: a zip or tar of class folders of PNG, JPEG, WebP, GIF, BMP or TIFF pictures, or of
    Parquet or Arrow files with pictures; one such Parquet file; a zip or tar of IDX files, as MNIST and EMNIST have
    them; an npz bundle; or a table as CSV or Parquet, alone or as `train.csv` and `test.csv` in a zip.

    In the archive lie `cat/1.png` and `dog/2.jpg`, or `train/cat/1.png` and `test/cat/2.png`, or pictures anywhere and
    a table `file,label`; the bundle is what the data folder takes, too, and may hold rows or series in the place of
    pictures. A table with the columns `label,pixel0,pixel1` and so on becomes pictures. It is inspected within limits:
    `GET /v1/datasets/{id}` then says `ready`, with counts by class, how it was split and what was `left_out`, or
    `invalid`, with the fault and its fix. Pictures are encoded anew: nothing else of the file is kept. Without `size`
    all pictures must have one size. Without `test/` a fifth of each class becomes the test set, by a fixed seed.
    `mirroring` then says whether networks are trained on mirrored pictures, too, and why. An owner's uploads have
    different names, and none is that of another dataset here: a file that is equal to one that came under its name, and
    read alike, is that dataset; another one gets a number, and `title` and the first of the `remarks` say so. `sent`
    has that name and the SHA-256 of the file, by which a client knows that an equal one is here. Where the store has
    lost what it held of that dataset, an equal file is inspected once more (202), and puts it back under the same id.

    A large file sent with an `Upload-Key` can go on after its connection broke: `GET /v1/datasets/arrivals/{key}` says
    how much of it is here, and the rest is sent with that `Upload-Offset` within ten minutes.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in MEDIA_TYPES:
        raise ProblemError(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            f"The body is declared as '{declared}'." if declared else "The body has no Content-Type.",
            hint="Send the file itself: `curl -H 'Content-Type: application/zip' --data-binary @flowers.zip`.",
        )
    reading = Reading(label_column, missing, kind, order, train_folder, test_folder, skip_broken, transposed)
    side, key = AUTO if size == "auto" else size, (_owner(services), upload_key or "")
    async with AsyncExitStack() as place:
        if upload_offset:
            arrival = _continued(services, key, upload_offset, place)
            await arrival.reserve(announced(request.headers))
        else:
            await services.interrupted.drop(key)
            arrival = await place.enter_async_context(arriving(services, request.headers))
        try:
            await arrival.take(request.stream(), name, side, MIRROR[mirror], reading, upload_key)
        except ClientDisconnect:
            if upload_key and arrival.length:
                await services.interrupted.keep(key, arrival, place.pop_all())
            raise
    upload = arrival.upload
    response.headers["Location"] = f"/v1/datasets/{upload.id}"
    if upload.state == "inspecting":
        response.headers["Retry-After"] = "1"
    else:
        response.status_code = 200
    return Dataset.of_upload(upload)


@final
class Arrived(Shown):
    """The part of an upload that is here although its connection broke."""

    received: int = Field(description="How many bytes; the rest is sent with this `Upload-Offset`.")


@router.get(
    "/arrivals/{key}",
    operation_id="get_arrival",
    summary="See how much of an upload is here",
)
async def get_arrival(services: ServicesDep, key: Annotated[str, Path(pattern=_SHA256, description=_KEY)]) -> Arrived:
    """The bytes that came before a connection broke; 0 where nothing waits for its rest."""
    return Arrived(received=services.interrupted.received((_owner(services), key)))


def _continued(services: Services, key: Key, offset: int, place: AsyncExitStack) -> Arrival:
    """The upload whose rest follows now. Raises ProblemError where something else is here than is thought."""
    received = services.interrupted.received(key)
    if received != offset:
        told = f"{received:,} bytes are here of the file with this Upload-Key."
        fix = f"Go on from {received}." if received else "Send the whole file, without Upload-Offset."
        raise invalid([FieldError("Upload-Offset", told, fix)])
    return services.interrupted.take(key, place)


def _owner(services: Services) -> str:
    return services.caller.owner if services.caller else ""


@router.delete(
    "/{id}",
    operation_id="delete_dataset",
    summary="Delete an upload",
    status_code=204,
    responses=responses(Kind.UNKNOWN_DATASET, Kind.DATASET_IN_USE),
)
def delete_dataset(
    services: ServicesDep, dataset_id: Annotated[str, Path(alias="id", description="The upload's id, `ds_...`.")]
) -> None:
    """Its bundle leaves the store; what was distilled from it stays. Refused while jobs that are not over need it."""
    try:
        with services.parting(dataset_id):
            services.ledger.uploads.delete(dataset_id, services.store.delete)
    except UnknownUpload:
        hint = "GET /v1/datasets lists your uploads; the catalogue's own datasets stay."
        raise ProblemError(Kind.UNKNOWN_DATASET, "No upload of yours has this id.", hint=hint) from None
    except UploadInUse as error:
        hint = f"Wait for them or cancel them: GET /v1/jobs?dataset={dataset_id}."
        raise ProblemError(Kind.DATASET_IN_USE, sentence(error), hint=hint) from None
    services.inspector.drop(dataset_id)
    services.catalogue.forget(dataset_id)
