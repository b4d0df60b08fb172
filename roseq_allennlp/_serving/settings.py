from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Settings:
    """
    What a server bears.

    # Parameters

    wait : `float`, optional (default = `0.002`)
        Seconds for which the first request of a batch waits for others.
    queue : `int`, optional (default = `256`)
        Requests of a tagger that wait at most; a further one is refused with status 503.
    time_limit : `float`, optional (default = `30`)
        Seconds from the first byte of a request's body to the last one of its answer.
    max_body : `int`, optional (default = `2**20`)
        Bytes of a request's body.
    max_text : `int`, optional (default = `100_000`)
        Characters of one text, document or list of tokens.
    token : `str`, optional
        What a client must send as `Authorization: Bearer …`.
    """

    wait: float = 0.002
    queue: int = 256
    time_limit: float = 30.0
    max_body: int = 2**20
    max_text: int = 100_000
    token: Optional[str] = None
