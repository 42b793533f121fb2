"""The past of a file, for those who only read it: what they load is no more than the catalog."""
