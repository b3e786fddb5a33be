"""Which vehicle visits which stops in which order, so that the way is short."""

import math
from dataclasses import dataclass
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

MAX_STOPS = 200
MAX_VEHICLES = 50
MAX_AMOUNT = 1_000_000_000
MAX_MINUTES = 100_000
EARTH_METRES = 6_371_000
SOLUTIONS = 300
SECONDS = 15


class InputError(ValueError):
    """The input is not what this algorithm takes."""


class AlgorithmError(RuntimeError):
    """No plan exists, or none was found in time."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A place to visit. The window and the stay are in minutes."""

    name: str
    latitude: float
    longitude: float
    demand: int
    window: tuple[int, int] | None
    stay: int


@dataclass(frozen=True, slots=True)
class Task:
    """All that a plan has to respect; the first stop is the depot."""

    stops: list[Stop]
    vehicles: int
    capacity: int | None
    metres_a_minute: float
    longest_day: int

    def metres(self, start: int, end: int) -> int:
        """The way between two stops over the globe."""
        a, b = self.stops[start], self.stops[end]
        phi_a, phi_b = math.radians(a.latitude), math.radians(b.latitude)
        across = math.radians(b.longitude - a.longitude) / 2
        half = math.sin((phi_b - phi_a) / 2) ** 2
        half += math.cos(phi_a) * math.cos(phi_b) * math.sin(across) ** 2
        return round(2 * EARTH_METRES * math.asin(math.sqrt(min(1.0, half))))

    def minutes(self, start: int, end: int) -> int:
        """The stay at the first stop and the drive to the second."""
        drive = math.ceil(self.metres(start, end) / self.metres_a_minute)
        return self.stops[start].stay + drive


def apply(input: Any) -> dict[str, Any]:
    """One route for every vehicle that is used."""
    task = task_in(input)
    nodes = pywrapcp.RoutingIndexManager(len(task.stops), task.vehicles, 0)
    routing = pywrapcp.RoutingModel(nodes)
    describe(task, nodes, routing)

    search = pywrapcp.DefaultRoutingSearchParameters()
    search.first_solution_strategy = (
        routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    )
    search.local_search_metaheuristic = (
        routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    )
    # The number of solutions ends the search, so that the same task gives the same plan.
    search.solution_limit = SOLUTIONS
    search.time_limit.seconds = SECONDS
    solution = routing.SolveWithParameters(search)
    if solution is None:
        raise AlgorithmError("No plan serves all stops: allow more vehicles, load or time.")
    routes = [
        route
        for vehicle in range(task.vehicles)
        if (route := route_of(vehicle, task, nodes, routing, solution))["stops"]
    ]
    return {
        "routes": routes,
        "vehicles_used": len(routes),
        "total_metres": sum(route["metres"] for route in routes),
    }


def describe(
    task: Task, nodes: pywrapcp.RoutingIndexManager, routing: pywrapcp.RoutingModel
) -> None:
    """Tell the solver the ways, the loads and the times."""
    everywhere = range(len(task.stops))
    ways = routing.RegisterTransitMatrix(
        [[task.metres(start, end) for end in everywhere] for start in everywhere]
    )
    routing.SetArcCostEvaluatorOfAllVehicles(ways)
    if task.capacity is not None:
        loads = routing.RegisterUnaryTransitVector([stop.demand for stop in task.stops])
        routing.AddDimension(loads, 0, task.capacity, True, "load")

    times = routing.RegisterTransitMatrix(
        [[task.minutes(start, end) for end in everywhere] for start in everywhere]
    )
    routing.AddDimension(times, task.longest_day, task.longest_day, True, "time")
    clock = routing.GetDimensionOrDie("time")
    for place, stop in enumerate(task.stops):
        if stop.window is not None and place > 0:
            first, last = stop.window
            clock.CumulVar(nodes.NodeToIndex(place)).SetRange(first, min(last, task.longest_day))
    for vehicle in range(task.vehicles):
        routing.AddVariableMinimizedByFinalizer(clock.CumulVar(routing.End(vehicle)))


def route_of(
    vehicle: int,
    task: Task,
    nodes: pywrapcp.RoutingIndexManager,
    routing: pywrapcp.RoutingModel,
    solution: Any,
) -> dict[str, Any]:
    """The stops of one vehicle in order, without the depot."""
    clock = routing.GetDimensionOrDie("time")
    visits, metres, load, at = [], 0, 0, 0
    index = routing.Start(vehicle)
    while True:
        index = solution.Value(routing.NextVar(index))
        place = nodes.IndexToNode(index)
        metres += task.metres(at, place)
        minute = solution.Min(clock.CumulVar(index))
        if routing.IsEnd(index):
            break
        stop, at = task.stops[place], place
        load += stop.demand
        visits.append({"name": stop.name, "arrival_minute": minute})
    return {
        "vehicle": vehicle,
        "stops": visits,
        "metres": metres,
        "load": load,
        "back_minute": minute,
    }


def task_in(value: Any) -> Task:
    """The whole input, checked."""
    if not isinstance(value, dict):
        raise InputError('The input must be an object with "depot" and "stops".')
    told = value.get("stops")
    if not isinstance(told, list) or not told:
        raise InputError('"stops" must be a list of places, and not empty.')
    if len(told) > MAX_STOPS:
        raise InputError(f"At most {MAX_STOPS} stops a call, got {len(told)}.")
    if "depot" not in value:
        raise InputError('The input has no "depot".')
    stops = [stop_in(value["depot"], "depot")]
    stops += [stop_in(stop, f"stops[{position}]") for position, stop in enumerate(told)]
    capacity = None
    if value.get("capacity") is not None:
        capacity = whole_in(value, "capacity", "input", 0, MAX_AMOUNT)
        heavy = [stop.name for stop in stops if stop.demand > capacity]
        if heavy:
            raise InputError(f"{heavy[0]} needs more than a vehicle holds.")
    day = whole_in({"day_minutes": 1440, **value}, "day_minutes", "input", 1, MAX_MINUTES)
    late = [stop.name for stop in stops if stop.window is not None and stop.window[0] > day]
    if late:
        raise InputError(f"The window of {late[0]} begins after the day is over.")
    speed = number_in({"speed_kmh": 50, **value}, "speed_kmh", "input", 1, 300)
    return Task(
        stops=stops,
        vehicles=whole_in({"vehicles": 1, **value}, "vehicles", "input", 1, MAX_VEHICLES),
        capacity=capacity,
        metres_a_minute=speed * 1000 / 60,
        longest_day=day,
    )


def stop_in(value: Any, where: str) -> Stop:
    """One place of the input."""
    if not isinstance(value, dict):
        raise InputError(f'"{where}" must be an object with "latitude" and "longitude".')
    name = value.get("name", where)
    if not isinstance(name, str):
        raise InputError(f'"name" of {where} must be a text.')
    window = value.get("window")
    if window is not None:
        if not isinstance(window, list) or len(window) != 2:
            raise InputError(f'"window" of {where} must be two minutes, such as [60, 120].')
        ends = {"from": window[0], "to": window[1]}
        first, last = (whole_in(ends, end, f"window of {where}", 0, MAX_MINUTES) for end in ends)
        if first > last:
            raise InputError(f'"window" of {where} ends before it starts.')
        window = (first, last)
    return Stop(
        name=name,
        latitude=number_in(value, "latitude", where, -90, 90),
        longitude=number_in(value, "longitude", where, -180, 180),
        demand=whole_in({"demand": 0, **value}, "demand", where, 0, MAX_AMOUNT),
        window=window,
        stay=whole_in({"stay_minutes": 0, **value}, "stay_minutes", where, 0, 10_000),
    )


def number_in(value: dict[str, Any], name: str, where: str, least: float, most: float) -> float:
    """A number within its bounds."""
    if name not in value:
        raise InputError(f'{where} has no "{name}".')
    number = value[name]
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InputError(f'"{name}" of {where} must be a number.')
    if not least <= number <= most:
        raise InputError(f'"{name}" of {where} must be from {least} to {most}.')
    return float(number)


def whole_in(value: dict[str, Any], name: str, where: str, least: int, most: int) -> int:
    """A whole number within its bounds."""
    number = number_in(value, name, where, least, most)
    if number != int(number):
        raise InputError(f'"{name}" of {where} must be a whole number.')
    return int(number)
