"""``s3://`` for Spark: Hadoop's own WebHDFS client in front, S3's own API behind.

The Spark in the Python registry has no S3 file system, but it has the client of
WebHDFS (https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html).
A gateway in the job's driver process answers that protocol and calls S3 with the job's own
credentials. Each bucket has a listener of its own, because Hadoop's ViewFileSystem mounts
whole file systems: ``linkFallback`` sends ``s3://<bucket>/...`` to it.

As with S3, a directory exists while a key begins with it. Directories that were made and are
still empty are remembered here, because Spark asks for them.
"""

from __future__ import annotations

import json
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_ROOT = "/webhdfs/v1"
# The methods of operations that change something; all others use GET.
# https://hadoop.apache.org/docs/current/hadoop-project-dist/hadoop-hdfs/WebHDFS.html#Operations
_METHODS = {
    **dict.fromkeys(("CREATE", "MKDIRS", "RENAME", "SETPERMISSION", "SETTIMES"), "PUT"),
    "DELETE": "DELETE",
}
_CHUNK = 1 << 20
# The maximum number of streams for one answer.
_STREAMS = 4
_DELETE_BATCH = 1000


class BucketFiles:
    """One bucket as a tree of files."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        self._made: set[str] = set()

    def status(self, key: str) -> dict[str, Any] | None:
        """The WebHDFS FileStatus of a file or directory, None if there is neither."""
        if key:
            try:
                head = self.s3.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                    raise
            else:
                return _file(head["ContentLength"], head["LastModified"])
        return _directory() if self._is_directory(key) else None

    def _is_directory(self, key: str) -> bool:
        if not key or any(made == key or made.startswith(key + "/") for made in self._made):
            return True
        answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key + "/", MaxKeys=1)
        return bool(answer["KeyCount"])

    def children(self, key: str) -> dict[str, dict[str, Any]]:
        """The FileStatus of each child by its name; of a file itself under ``""``."""
        status = self.status(key)
        if status is None or status["type"] == "FILE":
            return {} if status is None else {"": status}
        prefix = key + "/" if key else ""
        entries: dict[str, dict[str, Any]] = {}
        for made in self._made:
            if made.startswith(prefix) and made != key:
                entries[made[len(prefix) :].split("/")[0]] = _directory()
        pages = self.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/"):
            for common in page.get("CommonPrefixes", ()):
                entries[common["Prefix"][len(prefix) : -1]] = _directory()
            for entry in page.get("Contents", ()):
                if entry["Key"] != prefix:
                    entries[entry["Key"][len(prefix) :]] = _file(
                        entry["Size"], entry["LastModified"]
                    )
        return entries

    def make_directory(self, key: str) -> None:
        self._made.add(key)

    def read(self, key: str, offset: int, length: int | None) -> tuple[int, Iterator[bytes]]:
        """Bytes from ``offset`` on: how many, and the chunks."""
        end = "" if length is None else str(offset + length - 1)
        answer = self.s3.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={offset}-{end}")
        return answer["ContentLength"], self._chunks(key, offset, end, answer["Body"])

    def _chunks(self, key: str, offset: int, end: str, body: Any) -> Iterator[bytes]:
        """The chunks; if a stream breaks, another one continues, as with S3A."""
        for attempt in range(_STREAMS):
            try:
                for chunk in body.iter_chunks(_CHUNK):
                    offset += len(chunk)
                    yield chunk
            except BotoCoreError:
                if attempt == _STREAMS - 1:
                    raise
                wanted = {"Bucket": self.bucket, "Key": key, "Range": f"bytes={offset}-{end}"}
                body = self.s3.get_object(**wanted)["Body"]
            else:
                return

    def write(self, key: str, body: BinaryIO) -> None:
        self.s3.upload_fileobj(body, self.bucket, key)

    def rename(self, source: str, target: str) -> bool:
        """Move a file, or all below a directory, into place; into the target if it is one."""
        if self._is_directory(target):
            target = f"{target}/{source.rpartition('/')[2]}"
        moves = {key: target + key[len(source) :] for key in self._keys(source)}
        for old, new in moves.items():
            self.s3.copy({"Bucket": self.bucket, "Key": old}, self.bucket, new)
        self._delete(list(moves))
        emptied = {made for made in self._made if made == source or made.startswith(source + "/")}
        self._made -= emptied
        self._made |= {target + made[len(source) :] for made in emptied}
        return bool(moves or emptied)

    def delete(self, key: str) -> bool:
        """Delete a file, or a directory with all below it."""
        keys = self._keys(key)
        self._delete(keys)
        emptied = {made for made in self._made if made == key or made.startswith(key + "/")}
        self._made -= emptied
        return bool(keys or emptied)

    def _keys(self, key: str) -> list[str]:
        status = self.status(key)
        if status is not None and status["type"] == "FILE":
            return [key]
        pages = self.s3.get_paginator("list_objects_v2")
        return [
            entry["Key"]
            for page in pages.paginate(Bucket=self.bucket, Prefix=key + "/")
            for entry in page.get("Contents", ())
        ]

    def _delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})


def _file(length: int, modified: Any) -> dict[str, Any]:
    return _status("FILE", length, int(modified.timestamp() * 1000))


def _directory() -> dict[str, Any]:
    return _status("DIRECTORY", 0, 0)


def _status(kind: str, length: int, modified: int) -> dict[str, Any]:
    return {
        "type": kind,
        "length": length,
        "modificationTime": modified,
        "accessTime": modified,
        # Spark splits a file's reading at this size, as Glue does.
        "blockSize": 128 << 20,
        "replication": 1,
        "permission": "755",
        "owner": "",
        "group": "",
        "pathSuffix": "",
        "fileId": 0,
        "childrenNum": 0,
        "storagePolicy": 0,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: BucketFiles) -> None:
        self.files = files
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer are two writes, and the second would wait for the first one's
    # acknowledgement, which the other side delays by 40 ms.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Log nothing: the log is the job's."""

    def _answer(self) -> None:
        if not self._is_from_hadoop():
            # A web page, or one whose host name now resolves to this machine.
            self._fail("java.io.IOException", "the gateway answers its own job only")
            return
        url = urlsplit(self.path)
        # WebHDFS writes parameter names in any case.
        self.query = {key.lower(): value for key, value in parse_qsl(url.query)}
        self.key = unquote(url.path)[len(_ROOT) :].strip("/")
        operation = self.query.get("op", "").upper()
        action = getattr(self, f"_op_{operation.lower()}", None)
        # A page can send GET without a preflight request, so GET must change nothing:
        # https://fetch.spec.whatwg.org/#cors-safelisted-method
        if action is None or self.command != _METHODS.get(operation, "GET"):
            self._fail("java.lang.UnsupportedOperationException", operation)
            return
        try:
            action()
        except (BotoCoreError, ClientError, OSError) as error:
            # An answer puts the error into the job's log; Java cannot explain a closed connection.
            self._fail("java.io.IOException", str(error))

    def _is_from_hadoop(self) -> bool:
        """Hadoop's client names the loopback address, or the host name that it looks up for it."""
        port = self.server.server_address[1]
        own = {f"127.0.0.1:{port}", f"localhost:{port}"}
        of_page = any(name.lower().startswith(("origin", "sec-fetch-")) for name in self.headers)
        return self.headers.get("Host") in own and not of_page

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, java_class: str, message: str) -> None:
        exception = java_class.rpartition(".")[2]
        missing = exception == "FileNotFoundException"
        status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.INTERNAL_SERVER_ERROR
        remote = {"exception": exception, "javaClassName": java_class, "message": message}
        self._json({"RemoteException": remote}, status)

    def _missing(self) -> None:
        self._fail("java.io.FileNotFoundException", f"no such key: {self.key}")

    def _op_gethomedirectory(self) -> None:
        self._json({"Path": "/"})

    def _op_getfilestatus(self) -> None:
        status = self.server.files.status(self.key)
        if status is None:
            self._missing()
        else:
            self._json({"FileStatus": status})

    def _op_liststatus(self) -> None:
        children = self.server.files.children(self.key)
        if not children and self.server.files.status(self.key) is None:
            self._missing()
            return
        listed = [{**status, "pathSuffix": name} for name, status in sorted(children.items())]
        self._json({"FileStatuses": {"FileStatus": listed}})

    def _op_get_block_locations(self) -> None:
        self._json(
            {
                "LocatedBlocks": {
                    "fileLength": int(self.query.get("length", 0)),
                    "isLastBlockComplete": True,
                    "isUnderConstruction": False,
                    "lastLocatedBlock": None,
                    "locatedBlocks": [],
                }
            }
        )

    def _op_getfileblocklocations(self) -> None:
        self._json({"BlockLocations": {"BlockLocation": []}})

    def _op_open(self) -> None:
        status = self.server.files.status(self.key)
        if status is None:
            self._missing()
            return
        offset = int(self.query.get("offset", 0))
        length = int(self.query["length"]) if "length" in self.query else None
        size, chunks = 0, iter(list[bytes]())
        if offset < status["length"] and length != 0:
            size, chunks = self.server.files.read(self.key, offset, length)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        try:
            for chunk in chunks:
                self.wfile.write(chunk)
        except (BotoCoreError, ClientError, OSError):
            # The answer has begun: its missing bytes are the only sign of the failure.
            self.close_connection = True

    def _op_create(self) -> None:
        # The protocol has two steps: the name node redirects, the data node takes the bytes.
        if "data" not in self.query:
            self.send_response(HTTPStatus.TEMPORARY_REDIRECT)
            host, port = self.server.server_address[:2]
            self.send_header("Location", f"http://{host!s}:{port}{self.path}&data=true")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with tempfile.TemporaryFile() as body:
            self._receive(body)
            body.seek(0)
            self.server.files.write(self.key, body)
        self.send_response(HTTPStatus.CREATED)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _receive(self, body: BinaryIO) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            body.write(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            return
        size = self._chunk_size()
        while size:
            body.write(self.rfile.read(size))
            self.rfile.readline()
            size = self._chunk_size()
        self.rfile.readline()

    def _chunk_size(self) -> int:
        return int(self.rfile.readline().split(b";")[0], 16)

    def _op_mkdirs(self) -> None:
        self.server.files.make_directory(self.key)
        self._json({"boolean": True})

    def _op_rename(self) -> None:
        target = self.query["destination"].strip("/")
        self._json({"boolean": self.server.files.rename(self.key, target)})

    def _op_delete(self) -> None:
        self._json({"boolean": self.server.files.delete(self.key)})

    def _op_setpermission(self) -> None:
        self._json({})

    def _op_settimes(self) -> None:
        self._json({})


def serve(s3: Any, bucket: str) -> int:
    """Serve the bucket on a free loopback port until the process ends; return the port."""
    server = _Server(BucketFiles(s3, bucket))
    threading.Thread(target=server.serve_forever, name=f"s3-{bucket}", daemon=True).start()
    return int(server.server_address[1])
