"""The floor under all dialects: what every interface of the program needs of HTTP."""
