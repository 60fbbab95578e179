"""``python -m tests.machines`` plays all scenes anew and writes the page."""

import sys

from services.rules.book import RuleBook
from services.runtime.district import find_district, load_district
from tests.machines.explore import explore
from tests.machines.machines import MACHINES
from tests.machines.page import FILE, page
from tests.machines.rows import faults, the_rows
from tests.machines.scenes import SCENES

rules = RuleBook(load_district(find_district("yunan")))
seen = explore(SCENES, MACHINES, rules)
FILE.write_text(page(the_rows(), seen), encoding="utf-8")
print(f"{FILE.name}: {len(seen)} transitions, {len(the_rows().row)} rows")
sys.exit("\n".join(found) if (found := faults(the_rows(), seen, MACHINES)) else 0)
