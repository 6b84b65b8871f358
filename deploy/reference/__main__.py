"""Write the pages of docs/<language>/reference that follow from the code.

`python -m deploy.reference` runs it.
"""

from deploy.reference.pages import write_pages

if __name__ == "__main__":
    print(f"{write_pages()} pages of reference in both languages")
