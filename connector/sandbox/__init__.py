"""Both ends simulated: a Sage 100 agent and a HubSpot portal, for the demo, trials and tests."""
