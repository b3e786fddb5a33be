"""Code that calls one algorithm, in three languages, with the sample as its input. Pure."""

import json
import shlex
from dataclasses import dataclass

import orjson
from markupsafe import Markup

from web.coloured import coloured

KEY = "YOUR_KEY"
# A longer input is read from a file.
INLINE = 600

_LANGUAGES = {"curl": "bash", "Python": "python", "JavaScript": "javascript"}
_TYPES = {"json": "application/json", "text": "text/plain", "binary": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """One piece of code: its language, its text, and the text with its words marked."""

    id: str
    label: str
    code: str
    marked: Markup


@dataclass(frozen=True, slots=True)
class Snippets:
    """What a program is told to send: where, to what, and which input."""

    site: str
    reference: str
    kind: str
    sample: bytes

    def all(self) -> list[Snippet]:
        """Give the code in each language."""
        codes = {"curl": self._curl(), "Python": self._python(), "JavaScript": self._javascript()}
        return [
            Snippet(label.lower(), label, code, coloured(code, _LANGUAGES[label]))
            for label, code in codes.items()
        ]

    @property
    def _is_inline(self) -> bool:
        return self.kind in {"json", "text"} and len(self.sample) <= INLINE

    @property
    def _address(self) -> str:
        return f"{self.site}/v1/algo/{self.reference}"

    def _text(self) -> str:
        text = self.sample.decode("utf-8", "replace")
        if self.kind == "json":
            try:
                return orjson.dumps(orjson.loads(text)).decode()
            except (orjson.JSONDecodeError, orjson.JSONEncodeError):
                return text
        return text.strip()

    def _curl(self) -> str:
        body = shlex.quote(self._text()) if self._is_inline else "@input.file"
        flag = "-d" if self._is_inline else "--data-binary"
        return (
            f"curl {self._address} \\\n"
            f"  -H 'Authorization: Simple {KEY}' \\\n"
            f"  -H 'Content-Type: {_TYPES[self.kind]}' \\\n"
            f"  {flag} {body}"
        )

    def _python(self) -> str:
        lines = ["import Algorithmia", ""]
        if not self._is_inline:
            if self.kind == "json":
                lines.insert(0, "import json")
                given = 'json.load(open("input.file"))'
            elif self.kind == "text":
                given = 'open("input.file").read()'
            else:
                given = 'bytearray(open("input.file", "rb").read())'
        elif self.kind == "json":
            given = repr(_value(self._text()))
        else:
            given = json.dumps(self._text(), ensure_ascii=False)
        return "\n".join(
            [
                *lines,
                f'client = Algorithmia.client("{KEY}", "{self.site}")',
                f'algo = client.algo("{self.reference}")',
                f"print(algo.pipe({given}).result)",
            ]
        )

    def _javascript(self) -> str:
        if not self._is_inline:
            body = "file"
        elif self.kind == "json":
            body = f"JSON.stringify({self._text()})"
        else:
            body = json.dumps(self._text(), ensure_ascii=False)
        return "\n".join(
            [
                f'const answer = await fetch("{self._address}", {{',
                '  method: "POST",',
                "  headers: {",
                f'    "Authorization": "Simple {KEY}",',
                f'    "Content-Type": "{_TYPES[self.kind]}",',
                "  },",
                f"  body: {body},",
                "});",
                "const { result, metadata } = await answer.json();",
            ]
        )


def _value(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
