"""Cubes of the Sun as the Swedish 1-m Solar Telescope writes them, in the form of SOLARNET; none was observed."""

from armillary.demo.solar.cube import AXES, EXTENSIONS, SolarCube
from armillary.demo.solar.day import Filed, cubes_of_day, write_day, write_vocabularies
from armillary.demo.solar.writing import write_cube

__all__ = [
    "AXES",
    "EXTENSIONS",
    "Filed",
    "SolarCube",
    "cubes_of_day",
    "write_cube",
    "write_day",
    "write_vocabularies",
]
