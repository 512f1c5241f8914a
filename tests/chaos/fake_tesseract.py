"""A program that answers like Tesseract in milliseconds, and does what the picture's shape asks for.

A square is read, in as many seconds as $CHAOS_CONTROL/seconds says, and not before $CHAOS_CONTROL/hold is gone. Two,
three, four times as wide as high: it dies of a segmentation fault, takes all memory it gets, spins. Each run is noted
in $CHAOS_CONTROL/runs.
"""

import os
import signal
import struct
import sys
import time
from pathlib import Path

_COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text"


def main(arguments: list[str]) -> None:
    if "--version" in arguments:
        print("tesseract 5.5.2")
    elif "--list-langs" in arguments:
        print("List of available languages in it (1):\neng")
    else:
        read(arguments[0], arguments[1], os.environ["CHAOS_CONTROL"])


def read(picture: str, output: str, control: str) -> None:
    with Path(picture).open("rb") as file:
        width, height = struct.unpack_from("<ii", file.read(26), 18)  # of a BMP
    with Path(control, "runs").open("a") as runs:
        runs.write(f"{os.getpid()} {width} {height}\n")
    match round(width / abs(height)):
        case 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 3:
            taken = []
            while True:
                taken.append(bytearray(1 << 24))
        case 4:
            while True:
                pass
    if Path(control, "seconds").exists():
        time.sleep(float(Path(control, "seconds").read_text()))
    while Path(control, "hold").exists():
        time.sleep(0.02)
    words = ["A", "page", "of", f"{width}", "pixels"]
    wide, high = (
        width // len(words) + 1,
        abs(height),
    )  # together the whole page: no second reading
    rows = [f"5\t1\t1\t1\t1\t{n}\t{(n - 1) * wide}\t0\t{wide}\t{high}\t96\t{word}" for n, word in enumerate(words, 1)]
    Path(f"{output}.tsv").write_text("\n".join([_COLUMNS.replace(" ", "\t"), *rows]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
