"""What goes on record: beginnings and ends of runs, runs whose wrapper died, outages, the tracker's own beginning and end."""
