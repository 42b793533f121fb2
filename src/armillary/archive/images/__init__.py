"""Images: what the files of one exposure are together, as the sites of Photon Ranch send them."""
