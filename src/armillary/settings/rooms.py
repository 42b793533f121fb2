"""Control rooms of sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from armillary.settings.forms import SecretSource


def _usable_template(template: str) -> str:
    try:
        address = template.format(site="", room="", token="")
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"'{template}' is no address: only {{site}}, {{room}} and {{token}} may stand in it"
        ) from None
    if template and not address.startswith(("https://", "http://")):
        raise ValueError(f"'{template}' should begin with https:// or http://")
    return template


class RoomSettings(BaseModel):
    """Control rooms of sites; web process and workers need the same settings, workers alone the secret."""

    provider: Literal["none", "fake", "selfhosted", "remotehq"] = Field(
        "none",
        description="Who has the rooms: `remotehq`, a server of your own (`selfhosted`), nobody (`none`), or"
        " `fake` for rooms that are nowhere.",
    )
    secret: SecretSource = Field(
        "",
        description="Where the token for RemoteHQ is, or the key that signs tokens for your own server:"
        " `file:PATH` or `env:VARIABLE`.",
    )
    timeout_s: float = Field(
        20.0, gt=0, le=300, description="Longest time that a request to the provider takes."
    )
    parallel: int = Field(4, ge=1, description="Requests to the provider at once, per worker process.")
    url: str = Field(
        "https://api.remotehq.com/v1",
        pattern=r"^https?://[^/?#@]+[^?#@]*$",
        description="Address of the interface of RemoteHQ.",
    )
    region: str = Field("", description="Region of shared browsers at RemoteHQ.")
    image_url: str = Field("", description="Picture of rooms at RemoteHQ.")
    page: str = Field(
        "about:blank", description="Page that the shared browser of a room begins with; `{site}` is the site."
    )
    template: Annotated[str, AfterValidator(_usable_template)] = Field(
        "",
        description="Address of a room on your own server: `{room}`, `{site}` and the access token `{token}`"
        " stand in it, as in `https://meet.example/{room}?jwt={token}`.",
    )
    token_h: float = Field(24.0, gt=0, le=8784, description="Hours that such a token is good for.")
    restart_hours: dict[str, Annotated[int, Field(ge=0, le=23)]] = Field(
        {},
        description="Hour (UTC) at which the room of a site is restarted every day, by site; JSON in the"
        " environment.",
    )

    @model_validator(mode="after")
    def _complete(self) -> RoomSettings:
        if self.provider == "selfhosted" and not self.template:
            raise ValueError("provider 'selfhosted' needs a template")
        return self
