"""In an editable install, streamvec_cli is a package whose path is the repository's cli/ folder."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableCli(BuildHookInterface):
    """Hatchling cannot rename a folder in an editable install; a package with another __path__ can."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            return
        shim = Path(self.directory) / "editable_cli_init.py"
        shim.parent.mkdir(parents=True, exist_ok=True)
        shim.write_text(f"__path__ = [{str(Path(self.root) / 'cli')!r}]\n", encoding="utf-8")
        build_data["force_include_editable"][str(shim)] = "streamvec_cli/__init__.py"
