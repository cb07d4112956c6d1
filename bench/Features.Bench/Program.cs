using System.CommandLine;
using MassDpo.Features.Bench;

// How near each kind of features comes to the gradient of all parameters, and sketches to what they stand for; docs/experiments holds what it printed.
var policy = new Option<string>("--policy") { Required = true, Description = "Directory of a policy." };
var data = new Option<string>("--data") { Required = true, Description = "Records of texts." };
var records = new Option<int>("--records") { DefaultValueFactory = _ => 200, Description = "How many of them." };
var negatives = new Option<int>("--negatives") { DefaultValueFactory = _ => 3, Description = "k." };
var block = new Option<int>("--block") { DefaultValueFactory = _ => 16, Description = "Records scored together when time is taken." };
var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 9, Description = "In which time is taken." };
var sketches = new Option<bool>("--sketches") { Description = "Compare sketches with the exact inner products instead." };
var command = new RootCommand("Compares features with the gradient of all parameters.") { policy, data, records, negatives, block, rounds, sketches };
command.SetAction((parsed, _) =>
{
    var request = new TableRequest(parsed.GetValue(policy)!, parsed.GetValue(data)!, parsed.GetValue(records), parsed.GetValue(negatives), parsed.GetValue(block), parsed.GetValue(rounds));
    return parsed.GetValue(sketches) ? SketchTable.PrintAsync(request, Console.Out) : FeatureTable.PrintAsync(request, Console.Out);
});
return await command.Parse(args).InvokeAsync();
