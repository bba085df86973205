"""The command ``streamvec``: finds the verb, and turns what goes wrong into one line and an exit status."""

import errno
import importlib
import mmap
import os
import signal
import sys
import traceback
from types import FrameType

import click

from streamvec.errors import Interrupted, StreamvecError

from .terminal import say, write_all_of_it

# verb -> (module, one line of help). A module is imported only when its verb is called: a look-up must not
# wait for the trainers.
VERBS = {
    "demo": ("demo", "Train on bundled novels, show neighbours and a map: two minutes."),
    "train": ("train", "Text in, vectors out."),
    "resume": ("resume", "Go on exactly where a RUN stopped."),
    "plan": ("plan", "Peak memory, disk and time, before anything starts."),
    "nn": ("lookup", "Nearest neighbours of words."),
    "analogy": ("lookup", "man is to king as woman is to ...?"),
    "similarity": ("lookup", "Cosine similarity of two words."),
    "doesnt-match": ("lookup", "Which word does not belong to the others?"),
    "vector": ("lookup", "The numbers of words."),
    "index": ("index", "Makes nn instant at any size."),
    "embed": ("sentences", "A line in, its vector out."),
    "summarize": ("sentences", "The sentences that say most of a document."),
    "evaluate": ("evaluate", "How good vectors are: similarity sets and analogies."),
    "bias": ("bias", "Measure bias: direction, projections, direct bias, WEAT."),
    "debias": ("debias", "Remove it: neutralize and equalize, or softly."),
    "predict": ("predict", "What a trained task says of each line."),
    "generate": ("generate", "Text from a language model."),
    "plot": ("plot", "A map of words as a picture or a page; pictures of trainings."),
    "export": ("convert", "Write vectors in another tool's format."),
    "import": ("convert", "Read another tool's vectors into vectors.arrow."),
    "info": ("inspect", "What a RUN or a file holds."),
    "verify": ("inspect", "Read every byte against its checksum."),
}

_LITTLE = 1 << 26  # bytes without which nothing can be trained
NOT_ENOUGH = "not enough memory: see streamvec plan, lower --dim or --max-vocab, or use a machine with more"
_SIGNS = (
    "failed to map segment",  # of a shared object, by the linker
    "cannot allocate memory",
    "Cannot allocate memory",
    "can't start new thread",
)


class Verbs(click.Group):
    """A group whose commands live one module a family of verbs, imported on use."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f".{VERBS[name][0]}", __package__)
        return getattr(module, f"{name.replace('-', '_')}_")

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            context.fail(f"there is no verb {args[0]!r}.{hint}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamvec")
def streamvec() -> None:
    """Word vectors from text that does not fit in memory.

    \b
    Example:
      streamvec train skipgram wiki.txt.zst --out wiki-run
      streamvec nn wiki-run river
    """


def main() -> None:
    """Runs the command line; the only place where exceptions become text and exit statuses."""
    debug = "--debug" in sys.argv
    write_all_of_it()
    try:
        arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
        with streamvec.make_context("streamvec", arguments) as context:
            streamvec.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        sys.exit(2)
    except click.UsageError as problem:
        where = f" (see {problem.ctx.command_path} --help)" if problem.ctx else ""
        fail(" ".join(problem.format_message().split()) + where, 2, debug)
    except click.ClickException as problem:
        fail(" ".join(problem.format_message().split()), 1, debug)
    except (KeyboardInterrupt, click.Abort):
        fail("interrupted", 130, debug)
    except Interrupted as stop:
        say(f"streamvec: {stop}", err=True)
        sys.exit(130)
    except StreamvecError as problem:
        fail(str(problem), 1, debug)
    except MemoryError:
        fail(NOT_ENOUGH, 1, debug)
    except Exception as problem:
        if is_short_of_memory(problem):
            fail(NOT_ENOUGH, 1, debug)
        if not isinstance(problem, OSError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be written there
        if isinstance(problem, BrokenPipeError):  # the reader of our pipe (head, say) has seen enough
            sys.exit(0)
        fail(f"{problem.filename or 'standard output'}: {problem.strerror}", 1, debug)


def is_short_of_memory(problem: Exception | None) -> bool:
    """Whether the system gave no memory to map, for a library or for a thread; Python has no MemoryError for these."""
    while problem is not None:
        text = str(problem)
        if getattr(problem, "errno", None) == errno.ENOMEM or any(sign in text for sign in _SIGNS):
            return True
        problem = problem.__cause__ or problem.__context__  # type: ignore[assignment]
    try:  # a library of which only a part could be loaded complains of anything
        mmap.mmap(-1, _LITTLE).close()
    except (OSError, MemoryError):
        return True
    return False


def fail(message: str, status: int, debug: bool) -> None:
    """One line for a person, or the traceback with --debug; then the end."""
    if debug:
        traceback.print_exc()
    say(f"streamvec: error: {message}", err=True)
    sys.exit(status)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends as the signal would have, but what is half-written is removed first."""
    sys.exit(128 + number)


def run() -> None:
    """The process ``streamvec``: a look-up that has been answered leaves at once, as nothing is open for writing, and
    tidying up would take as long as the search."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup it is ignored
            signal.signal(number, _end)
    main()
    if VERBS.get(next((word for word in sys.argv[1:] if word != "--debug"), ""), ("",))[0] == "lookup":
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    run()
