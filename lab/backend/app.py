"""The application behind nginx: REST, long answers, server-sent events, uploads and two kinds of WebSockets.

It behaves to nginx and to browsers as the first user's backend does:

* `/api/mqtt/ws/hints/{session_id}` pushes each JSON message of the MQTT topic `maze/hint/{session_id}` to the
  browsers of that session; what the browser sends is keep-alive and ignored.
* `/ws/{token}` carries messages between users; a bad token is closed with code 1008, after the socket opened,
  so that the browser gets to see the code.
* `/api/docs` answers when the backend is alive, `/api/slow` after a while, `/api/stream` bit by bit.

It runs with FastAPI 0.63 to 0.14x and paho-mqtt 1.5 to 2.x, as the Debian releases have them.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from typing import Any, AsyncIterator, Dict, Iterator, List, Set, Tuple

import paho.mqtt.client as mqtt
from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse

TOPIC = "maze/hint/"
POLICY_VIOLATION = 1008
LONGEST_WAIT = 900.0  # seconds; a language model's answer takes up to 600
LARGEST_UPLOAD = 64 * 1024 * 1024

STATE = os.environ.get("STATE_DIRECTORY", "/var/lib/lammp")
UPLOADS = os.path.join(STATE, "uploads")
BROKER = (os.environ.get("LAMMP_MQTT_HOST", "127.0.0.1"), int(os.environ.get("LAMMP_MQTT_PORT", "1883")))

log = logging.getLogger("uvicorn.error")

app = FastAPI(title="lammp", docs_url="/api/docs", openapi_url="/api/openapi.json", redoc_url=None)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["*"],
    allow_headers=["Authorization", "Content-Type"],
    max_age=600,
)


class Hub:
    """Who waits for messages under which key: a session's browsers, a user's sockets."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._queues: Dict[str, Set[asyncio.Queue[str]]] = {}

    def join(self, key: str) -> asyncio.Queue[str]:
        """Return a queue that gets every message put under the key from now on."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)
        self._queues.setdefault(key, set()).add(queue)
        return queue

    def leave(self, key: str, queue: asyncio.Queue[str]) -> None:
        """Forget the queue."""
        members = self._queues.get(key, set())
        members.discard(queue)
        if not members:
            self._queues.pop(key, None)

    def put(self, key: str, message: str) -> int:
        """Give a message to the key's queues, a full one losing its oldest; return their number."""
        members = self._queues.get(key, set())
        for queue in members:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)
        return len(members)


hints = Hub()
users = Hub()


def as_json(payload: bytes) -> str:
    """Return an MQTT payload as a JSON text: as it is when it is JSON already, else as {"hint": text}."""
    text = payload.decode("utf-8", "replace")
    try:
        json.loads(text)
    except ValueError:
        return json.dumps({"hint": text})
    return text


def mqtt_client(loop: asyncio.AbstractEventLoop) -> mqtt.Client:
    """Return a client that hands all hints to the event loop; it reconnects by itself."""

    def on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe(TOPIC + "+", qos=1)

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        session = message.topic[len(TOPIC) :]
        loop.call_soon_threadsafe(hints.put, session, as_json(message.payload))

    version = getattr(mqtt, "CallbackAPIVersion", None)  # paho-mqtt 2 asks which callbacks are meant
    client = mqtt.Client(version.VERSION2) if version else mqtt.Client()
    client.on_connect = on_connect
    client.on_message = on_message
    client.reconnect_delay_set(1, 10)
    return client


async def start() -> None:
    """Make what the requests need: the upload directory, the token secret and the broker's client."""
    os.makedirs(UPLOADS, exist_ok=True)
    app.state.secret = secrets.token_bytes(32)
    app.state.mqtt = mqtt_client(asyncio.get_running_loop())
    app.state.mqtt.connect_async(BROKER[0], BROKER[1], keepalive=30)
    app.state.mqtt.loop_start()


async def stop() -> None:
    """Leave the broker."""
    app.state.mqtt.loop_stop()
    app.state.mqtt.disconnect()


# Not `lifespan`: FastAPI 0.63 has none; not the decorator, which newest ones have dropped.
app.router.add_event_handler("startup", start)
app.router.add_event_handler("shutdown", stop)


@app.get("/api/health")
async def health() -> Dict[str, Any]:
    """Say that the backend lives and whether it hears the broker."""
    return {"status": "ok", "mqtt": app.state.mqtt.is_connected()}


@app.get("/api/headers")
async def headers(request: Request) -> Dict[str, Any]:
    """Return the request as it came through nginx: what was forwarded, and by whom."""
    received: List[List[str]] = [[name, value] for name, value in request.headers.items()]
    return {
        "client": request.client.host if request.client else "",
        "path": request.url.path,
        "headers": received,
    }


@app.get("/api/slow")
async def slow(seconds: float = 1.0) -> Dict[str, float]:
    """Answer after the given time, as a request to a language model does."""
    if not 0 <= seconds <= LONGEST_WAIT:
        raise HTTPException(422, f"seconds: expected 0 to {LONGEST_WAIT:g}")
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@app.get("/api/stream")
async def stream(count: int = 5, interval: float = 0.5) -> StreamingResponse:
    """Send `count` server-sent events, `interval` seconds apart."""

    async def events() -> AsyncIterator[str]:
        for number in range(count):
            if number:
                await asyncio.sleep(interval)
            yield f"id: {number}\ndata: {json.dumps({'token': number})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


def token_of(user: str) -> str:
    """Return the token that lets a user in: the name and its signature, valid until the backend restarts."""
    return f"{user}.{hmac.new(app.state.secret, user.encode(), hashlib.sha256).hexdigest()[:32]}"


@app.post("/api/login")
async def login(request: Request) -> JSONResponse:
    """Give a token for {"user": name}; there are no passwords in the lab."""
    try:
        user = (await request.json())["user"]
    except (ValueError, TypeError, KeyError):
        user = None
    if not isinstance(user, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", user):
        raise HTTPException(422, "user: expected 1 to 32 letters, digits, _ or -")
    return JSONResponse({"token": token_of(user)})


@app.post("/uploads/")
async def upload(request: Request) -> JSONResponse:
    """Store the request's body under its digest and return its address."""
    digest = hashlib.sha256()
    size = 0
    partial = os.path.join(UPLOADS, f".{secrets.token_hex(8)}")
    try:
        with open(partial, "wb") as handle:
            async for piece in request.stream():
                size += len(piece)
                if size > LARGEST_UPLOAD:
                    raise HTTPException(413, f"expected at most {LARGEST_UPLOAD} bytes")
                digest.update(piece)
                handle.write(piece)
        name = digest.hexdigest()
        os.replace(partial, os.path.join(UPLOADS, name))
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return JSONResponse({"url": f"/uploads/{name}", "size": size}, status_code=201)


@app.get("/uploads/{name}")
async def uploaded(name: str) -> StreamingResponse:
    """Return an uploaded file."""
    path = os.path.join(UPLOADS, name)
    if not re.fullmatch(r"[0-9a-f]{64}", name) or not os.path.exists(path):
        raise HTTPException(404, "no such upload")

    def pieces() -> Iterator[bytes]:
        with open(path, "rb") as handle:
            while piece := handle.read(65536):
                yield piece

    # Not FileResponse: before Starlette 0.20 it wants one more library.
    size = str(os.path.getsize(path))
    return StreamingResponse(
        pieces(), media_type="application/octet-stream", headers={"Content-Length": size}
    )


async def pump(websocket: WebSocket, queue: asyncio.Queue[str]) -> None:
    """Send the queue's messages until the socket ends."""
    while True:
        await websocket.send_text(await queue.get())


@app.websocket("/api/mqtt/ws/hints/{session_id}")
async def hint_socket(websocket: WebSocket, session_id: str) -> None:
    """Push a session's hints to its browser."""
    await websocket.accept()
    queue = hints.join(session_id)
    sender = asyncio.ensure_future(pump(websocket, queue))
    try:
        while True:
            await websocket.receive_text()  # keep-alive
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        hints.leave(session_id, queue)


@app.websocket("/ws/{token}")
async def user_socket(websocket: WebSocket, token: str) -> None:
    """Carry messages between users: {"to": user, "text": …} goes to that user, everything else comes back."""
    await websocket.accept()
    user = token.rpartition(".")[0]
    if not user or not hmac.compare_digest(token.encode(), token_of(user).encode()):
        await websocket.close(code=POLICY_VIOLATION)
        return
    queue = users.join(user)
    sender = asyncio.ensure_future(pump(websocket, queue))
    try:
        while True:
            text = await websocket.receive_text()
            receiver, message = addressed(text)
            if receiver:
                users.put(receiver, json.dumps({"from": user, "text": message}))
            else:
                users.put(user, text)
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        users.leave(user, queue)


def addressed(text: str) -> Tuple[str, str]:
    """Return receiver and message of {"to": …, "text": …}; two empty strings for any other text."""
    try:
        message = json.loads(text)
        return str(message["to"]), str(message["text"])
    except (ValueError, TypeError, KeyError):
        return "", ""
