"""The files of the configurations that `sites` lists."""
