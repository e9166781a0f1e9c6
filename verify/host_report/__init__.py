"""What a host says about itself: the program that is sent there, how it is asked, how it is read."""
