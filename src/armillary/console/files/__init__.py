"""The page of a file: its picture, headers and history, and the forms that edit it."""
