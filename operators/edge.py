"""The operators' edge: where a fault becomes one sentence in Blender's status bar."""

import logging
import traceback

import bpy

from ..engine.protocol import PegbarError
from ..runs import reporting

log = logging.getLogger(__name__)


class Edge:
    """Mixed into an operator: `execute` calls its `act` and reports what goes wrong there."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.act(context)
            return {"FINISHED"}
        except PegbarError as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            log.exception("a bug")
            reporting.note(traceback.format_exc())
            self.report({"ERROR"}, f"Pegbar made a mistake ({type(error).__name__}: {error})")
        return {"CANCELLED"}
