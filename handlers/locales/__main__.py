"""`make messages`: update the catalogs and print the texts without a translation."""

import sys

from handlers.locales import update

missing = update()
sys.stdout.write("".join(f"not translated: {text}\n" for text in missing) or "all texts are translated\n")
