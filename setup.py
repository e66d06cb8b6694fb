"""What pyproject.toml can't say: the compiled modules (every .pyx under lab), the compiler they need, and the themes inside a wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}
# Results are the same bits on every machine: no fused multiply-add, nothing that depends on the processor at hand.
UNIX_FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno"]
WINDOWS_FLAGS = ["/O2", "/fp:precise"]


def has_compiler() -> bool:
    """Whether this machine can compile C by itself."""
    if sys.platform == "win32":
        return True  # setuptools finds Visual Studio by the registry, not by PATH, and says itself what to install
    if sys.platform == "darwin" and subprocess.run(["xcode-select", "-p"], capture_output=True).returncode != 0:
        return False  # /usr/bin/cc is there all the same, and only opens a window
    named = os.environ.get("CC", "").split()
    return any(shutil.which(name) for name in (*named[:1], "cc", "gcc", "clang"))


def sources() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / "lab").rglob("*.pyx"))


class BuildExtensions(build_ext):
    """Compiles with the machine's compiler, or with Zig's, which comes as a wheel, where there is none."""

    def finalize_options(self) -> None:
        from Cython.Build import cythonize

        self.distribution.ext_modules = cythonize(
            self.distribution.ext_modules, compiler_directives=DIRECTIVES, build_dir=str(Path("build") / "cython"), quiet=True
        )
        super().finalize_options()

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "unix" and not has_compiler():
            zig = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]  # its own choice would be this very processor
            link = ["-shared"] if sys.platform != "darwin" else ["-bundle", "-undefined", "dynamic_lookup"]
            self.compiler.set_executables(compiler_so=[*zig, "-fPIC", "-DNDEBUG"], linker_so=[*zig, *link])
        flags = WINDOWS_FLAGS if self.compiler.compiler_type == "msvc" else UNIX_FLAGS
        for extension in self.extensions:
            extension.extra_compile_args = flags
        super().build_extensions()


class BuildModules(build_py):
    """An installed package holds the themes inside it; a checkout finds them beside it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for theme in sorted((ROOT / "themes").glob("*.toml")):
                self.copy_file(str(theme), self._place(theme))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        own = [] if self.editable_mode else [self._place(theme) for theme in sorted((ROOT / "themes").glob("*.toml"))]
        return [*super().get_outputs(include_bytecode), *own]

    def _place(self, theme: Path) -> str:
        folder = Path(self.build_lib) / "lab" / "themes"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / theme.name)


(ROOT / "build").mkdir(exist_ok=True)
setup(
    options={"egg_info": {"egg_base": "build"}},
    ext_modules=[Extension(".".join(path.with_suffix("").parts), [str(path)]) for path in sources()],
    cmdclass={"build_ext": BuildExtensions, "build_py": BuildModules},
    setup_requires=[] if has_compiler() else ["ziglang>=0.13,<1"],
)
