"""Writing contracts by hand: the fields that a form and a workbook show, the four checks, drafts and their approval."""
