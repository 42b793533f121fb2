"""Forms of values that settings of several nouns have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MIB = 1 << 20
Origin = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+$")]
SecretSource = Annotated[str, Field(pattern=r"^$|^(env|file):.+")]
