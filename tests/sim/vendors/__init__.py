"""The vendors: name -> class(world, seed) with handle(request) -> Reply, error(status) -> body,
objects() -> what is there, remove(id)."""
from .digitalocean import DigitalOcean
from .nutanix import Nutanix
from .rubrik import Rubrik
from .upcloud import UpCloud

VENDORS = {"digitalocean": DigitalOcean, "nutanix": Nutanix, "rubrik": Rubrik, "upcloud": UpCloud}
