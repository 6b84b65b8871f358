"""Write the pages of docs/<language> that follow from the code.

`python -m deploy.reference` runs it.
"""

from deploy.reference.pages import write_pages

if __name__ == "__main__":
    print(f"{write_pages()} pages in both languages")
