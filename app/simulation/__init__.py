"""What would follow from something that is not done: a webhook call, through the whole of Paceline."""
