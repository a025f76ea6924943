"""What all three trainings share. Nothing here imports a framework."""
