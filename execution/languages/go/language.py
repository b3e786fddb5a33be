"""Go as the platform sees it: compiled in a sandbox at build time, with our runner in it."""

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

from core.errors import BuildFailed
from execution.builds import places
from execution.builds.compiling import compile_into
from execution.builds.making import digest_of, made_once
from execution.languages import sources
from execution.languages.confined import MADE, RUNNER, SOURCE, confined
from execution.languages.go import modules, standard
from execution.languages.go.toolchain import WHEEL, Toolchain, toolchain
from execution.languages.language import Language, Log
from execution.outcome import Artefact
from execution.sandbox.program import Program

_RUNNER = Path(__file__).with_name("runner")
_CLIENT = f"{RUNNER}/go"
_BINARY = "/binary"
_OURS = "zz_algorium.go"
_MAIN = "algorium_main"
# The project's files and ours are laid over each other; what is compiled already is linked to.
_SCRIPT = f"""
set -e
cp -r {SOURCE}/. /tmp/project
cp -r /staged/. /tmp/project/
mkdir /tmp/cache && cp -rs /standard/. /tmp/cache/ && rm -rf /tmp/cache/*.txt /tmp/cache/packages
cd /tmp/project
if [ -f vendor/modules.txt ]; then
    cp -r {_CLIENT} vendor/{modules.CLIENT}
    printf '# %s v0.0.0 => %s\\n## explicit; go 1.19\\n%s\\n' \
        {modules.CLIENT} {_CLIENT} {modules.CLIENT} >> vendor/modules.txt
fi
"$GO" mod edit -require={modules.CLIENT}@v0.0.0 -dropreplace={modules.CLIENT} \
    -replace={modules.CLIENT}@v0.0.0={_CLIENT}
mkdir -p {MADE}
exec "$GO" build {" ".join(standard.FLAGS)} -ldflags "-s -w" -o {MADE}/algorithm "./$1"
"""
# What looks like code in a source, but is none.
_NO_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


class Go:
    """Go, with modules of its registry."""

    name = "go"
    manifest = modules.MANIFEST

    def words(self) -> str:
        """Say which version it is."""
        go = toolchain()
        return f"Go {go.language}" if go else "Go"

    def missing(self) -> str:
        """Tell how to get it."""
        if toolchain() is not None:
            return ""
        return (
            "Install it (Debian: apt-get install golang-go; or into Algorium's environment: "
            f"pip install {WHEEL})."
        )

    def means(self, word: str) -> bool:
        """Take every Go."""
        return re.fullmatch(r"go(lang)?[\d.x-]*", word) is not None

    def entries(self, name: str) -> tuple[str, ...]:
        """One file, whose whole package is compiled."""
        return (f"src/{name}.go",)

    async def build(self, folder: Path, name: str, home: Path, log: Log) -> str:
        """Fetch the modules of go.mod, then compile everything into one program."""
        go = _here()
        ours = await asyncio.to_thread(_our_files, folder, name)
        everything = await asyncio.to_thread(sources.hashed, folder)
        runner = await asyncio.to_thread(sources.hashed, _RUNNER)
        digest = digest_of("go", go.identity, runner, everything, *ours)
        module = await modules.fetched(folder, home, go, log)

        async def make(place: Path) -> None:
            base = await standard.compiled(folder, home, go, log)
            log("Compiling")
            with tempfile.TemporaryDirectory(dir=sources.scratch(home)) as scratch:
                staged = Path(scratch)
                main = await asyncio.to_thread(_stage, staged, folder, ours, module.path, go)
                outside = {
                    SOURCE: folder, _CLIENT: _RUNNER, go.root: Path(go.root), "/staged": staged,
                    "/standard": base, **({"/modules": module.packages} if module.packages else {}),
                }  # fmt: skip
                shown = await asyncio.to_thread(sources.resolved, outside)
                command = ("/bin/sh", "-c", _SCRIPT, "compile", main)
                await compile_into(place, command, shown, log, _settings(go))

        await made_once(places.environment_of(home, digest), make, log)
        return digest

    def program(self, artefact: Artefact) -> Program:
        """Start what was compiled; garbage is collected before its memory is used up."""
        return confined(
            artefact,
            (f"{_BINARY}/algorithm",),
            folders={_BINARY: str(Path(artefact.environment).resolve())},
            environment={"GOMEMLIMIT": f"{artefact.memory_mib * 7 // 8}MiB", "GOMAXPROCS": "2"},
        )


def languages() -> list[Language]:
    """Give what this folder runs."""
    return [Go()]


def _here() -> Toolchain:
    go = toolchain()
    if go is None:
        raise BuildFailed(f"Go isn't offered here. {Go().missing()}")
    return go


def _settings(go: Toolchain) -> dict[str, str]:
    return {
        **modules.settings(go),
        "GO": go.program,
        "GOCACHE": "/tmp/cache",  # noqa: S108 - the sandbox's own
        "GOMODCACHE": "/modules",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOFLAGS": "",
    }


def _our_files(folder: Path, name: str) -> tuple[str, str]:
    """Write the file that goes into the algorithm's package; gives it and the package's name.

    It also makes our package the first to be ready, so that what goes wrong while the
    project's own get ready is told as such.
    """
    found: set[str] = set()
    package = ""
    for path in sorted((folder / "src").glob("*.go")):
        if path.name.endswith("_test.go") or path.is_symlink():
            continue
        code = _NO_CODE.sub("", path.read_text())
        found.update(re.findall(r"^func[ \t]+(\w+)[ \t]*\(", code, re.MULTILINE))
        if path.name == f"{name}.go":
            package = (re.findall(r"^package[ \t]+(\w+)", code, re.MULTILINE) or [""])[0]
    if not package or "Apply" not in found:
        raise BuildFailed(f"src/{name}.go has no func Apply(input).")
    if package == "main" and "main" in found:
        raise BuildFailed(
            "src/ has a func main. Leave it out: the program that calls Apply is made by the build."
        )
    functions = "Apply, Load" if "Load" in found else "Apply, nil"
    text = (
        f'package {package}\n\nimport _algorium "{modules.CLIENT}"\n\n'
        f"func init() {{ _algorium.Register({functions}) }}\n"
    )
    if package == "main":
        text += "\nfunc main() { _algorium.Serve() }\n"
    return text, package


def _stage(staged: Path, folder: Path, ours: tuple[str, str], path: str, go: Toolchain) -> str:
    """Write the files that are laid over the project's; gives the folder of what is to be made."""
    text, package = ours
    staged.chmod(0o755)
    (staged / "src").mkdir()
    (staged / "src" / _OURS).write_text(text)
    if (folder / modules.MANIFEST).is_file():
        shutil.copyfile(folder / modules.MANIFEST, staged / modules.MANIFEST)
    else:
        (staged / modules.MANIFEST).write_text(f"module {path}\n\ngo {go.language}\n")
    if package == "main":
        return "src"
    (staged / _MAIN).mkdir()
    (staged / _MAIN / "main.go").write_text(
        f'package main\n\nimport (\n\t"{modules.CLIENT}"\n\t_ "{path}/src"\n)\n\n'
        f"func main() {{ {modules.CLIENT}.Serve() }}\n"
    )
    return _MAIN
