"""Write the types of problems, which the gateway publishes.

`python -m deploy.problem_types` runs it.
"""

from deploy.problem_types.document import serialise_problem_types
from gateway.api_docs.problem_types import FILE

if __name__ == "__main__":
    FILE.write_text(serialise_problem_types(), encoding="utf-8")
    print(f"the types of problems in {FILE}")
